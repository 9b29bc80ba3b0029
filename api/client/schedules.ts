import type { AcceptedEvent } from "../schema/event.ts";
import type {
  Schedule,
  ScheduleDetail,
  ScheduleQuery,
  ScheduleSpecInput,
} from "../schema/schedule.ts";
import { type ChangeOptions, conditionHeaders } from "./condition.ts";
import { quickTimeoutMs } from "./connection.ts";
import { Methods, type Page } from "./methods.ts";
import { asJson, pathOf } from "./request.ts";

const post = { method: "POST", timeoutMs: quickTimeoutMs };

/** What a client does with schedules. */
export class ScheduleMethods extends Methods {
  /** Makes a schedule, or replaces what it says. */
  async putSchedule(
    name: string,
    spec: ScheduleSpecInput,
    change: ChangeOptions = {},
  ): Promise<ScheduleDetail> {
    const options = {
      ...asJson("PUT", spec, conditionHeaders(change)),
      timeoutMs: quickTimeoutMs,
    };
    return await this.connection.ask(pathOf("schedules", name), options);
  }

  /** A page of schedules by name. */
  async schedules(query: ScheduleQuery = {}): Promise<Page<Schedule>> {
    return await this.connection.get(pathOf("schedules"), query);
  }

  /** A schedule with its event and its next due times. */
  async getSchedule(name: string): Promise<ScheduleDetail> {
    return await this.connection.get(pathOf("schedules", name));
  }

  /** Lets a schedule's due times pass without a run. */
  async pauseSchedule(name: string): Promise<ScheduleDetail> {
    return await this.connection.ask(pathOf("schedules", name, "pause"), post);
  }

  /** Lets a paused schedule come due again. */
  async resumeSchedule(name: string): Promise<ScheduleDetail> {
    return await this.connection.ask(pathOf("schedules", name, "resume"), post);
  }

  /** Queues a schedule's event now, beside its due times. */
  async runSchedule(name: string): Promise<AcceptedEvent> {
    return await this.connection.ask(pathOf("schedules", name, "run"), post);
  }

  /** Deletes a schedule. */
  async removeSchedule(name: string, change: ChangeOptions = {}): Promise<void> {
    await this.connection.delete(pathOf("schedules", name), change);
  }
}
