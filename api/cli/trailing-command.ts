import { Command, type ParseOptionsResult } from "commander";

/** A command that keeps apart what stands after `--`; commander itself drops the dashes. */
export class TrailingCommand extends Command {
  /** The words after `--`; undefined without one. */
  trailing: readonly string[] | undefined;

  override parseOptions(argv: string[]): ParseOptionsResult {
    const at = argv.indexOf("--");
    if (at < 0) return super.parseOptions(argv);
    this.trailing = argv.slice(at + 1);
    return super.parseOptions(argv.slice(0, at));
  }
}
