/**
 * What the invocations of each function and minute come to; the second step of the schema. Triggers keep the counts
 * what the rows of `invocations` say, in the transaction that changes these: counting millions of rows would hold up
 * the server. The minute is that of `queued_at_us`, in minutes since the epoch.
 */
export const statisticsSchema = `
  CREATE TABLE invocation_minutes (
    function_name TEXT NOT NULL,
    minute INTEGER NOT NULL,
    count INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    timed_out INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    cold INTEGER NOT NULL,
    pooled INTEGER NOT NULL,
    warm INTEGER NOT NULL,
    PRIMARY KEY (function_name, minute)
  ) STRICT, WITHOUT ROWID;

  INSERT INTO invocation_minutes
    SELECT function_name, queued_at_us / 60000000, count(*),
      count(*) FILTER (WHERE status = 'failed'),
      count(*) FILTER (WHERE status = 'timed_out'),
      count(*) FILTER (WHERE status = 'cancelled'),
      count(*) FILTER (WHERE status = 'lost'),
      count(*) FILTER (WHERE start_kind = 'cold'),
      count(*) FILTER (WHERE start_kind = 'pooled'),
      count(*) FILTER (WHERE start_kind = 'warm')
    FROM invocations
    WHERE kind = 'invoke' AND function_name IS NOT NULL
    GROUP BY function_name, queued_at_us / 60000000;

  CREATE TRIGGER invocations_inserted AFTER INSERT ON invocations
    WHEN NEW.kind = 'invoke' AND NEW.function_name IS NOT NULL BEGIN
    INSERT INTO invocation_minutes VALUES (
      NEW.function_name, NEW.queued_at_us / 60000000, 1,
      NEW.status = 'failed', NEW.status = 'timed_out', NEW.status = 'cancelled',
      NEW.status = 'lost', NEW.start_kind IS 'cold', NEW.start_kind IS 'pooled',
      NEW.start_kind IS 'warm')
    ON CONFLICT DO UPDATE SET count = count + 1,
      failed = failed + excluded.failed, timed_out = timed_out + excluded.timed_out,
      cancelled = cancelled + excluded.cancelled, lost = lost + excluded.lost,
      cold = cold + excluded.cold, pooled = pooled + excluded.pooled, warm = warm + excluded.warm;
  END;
  CREATE TRIGGER invocations_changed AFTER UPDATE OF status, start_kind ON invocations
    WHEN NEW.kind = 'invoke' AND NEW.function_name IS NOT NULL BEGIN
    UPDATE invocation_minutes SET
      failed = failed + (NEW.status = 'failed') - (OLD.status = 'failed'),
      timed_out = timed_out + (NEW.status = 'timed_out') - (OLD.status = 'timed_out'),
      cancelled = cancelled + (NEW.status = 'cancelled') - (OLD.status = 'cancelled'),
      lost = lost + (NEW.status = 'lost') - (OLD.status = 'lost'),
      cold = cold + (NEW.start_kind IS 'cold') - (OLD.start_kind IS 'cold'),
      pooled = pooled + (NEW.start_kind IS 'pooled') - (OLD.start_kind IS 'pooled'),
      warm = warm + (NEW.start_kind IS 'warm') - (OLD.start_kind IS 'warm')
      WHERE function_name = NEW.function_name AND minute = NEW.queued_at_us / 60000000;
  END;
  CREATE TRIGGER invocations_deleted AFTER DELETE ON invocations
    WHEN OLD.kind = 'invoke' AND OLD.function_name IS NOT NULL BEGIN
    UPDATE invocation_minutes SET count = count - 1,
      failed = failed - (OLD.status = 'failed'), timed_out = timed_out - (OLD.status = 'timed_out'),
      cancelled = cancelled - (OLD.status = 'cancelled'), lost = lost - (OLD.status = 'lost'),
      cold = cold - (OLD.start_kind IS 'cold'), pooled = pooled - (OLD.start_kind IS 'pooled'),
      warm = warm - (OLD.start_kind IS 'warm')
      WHERE function_name = OLD.function_name AND minute = OLD.queued_at_us / 60000000;
    DELETE FROM invocation_minutes
      WHERE function_name = OLD.function_name AND minute = OLD.queued_at_us / 60000000
        AND count = 0;
  END;
`;
