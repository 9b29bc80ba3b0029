/** One fact about this machine and what it means for Runlet; `advice` is there where something can be mended. */
export interface HostCheck {
  readonly name: string;
  readonly status: "ok" | "warning" | "error";
  readonly found: string;
  readonly advice?: string;
}
