/** One series of a metric: its labels, and what it stands at. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What a server says of itself in Prometheus' text format, by the names of the metrics. */
export class Exposition {
  readonly #series = new Map<string, Series[]>();

  constructor(text: string) {
    for (const line of text.split("\n")) {
      const [, name, labels = "", value] = sample.exec(line) ?? [];
      if (name === undefined) continue;
      const series = this.#series.get(name) ?? [];
      this.#series.set(name, series);
      series.push({ labels: labelsIn(labels), value: Number(value) });
    }
  }

  /** All series of a metric; none where there is no such metric. */
  of(name: string): readonly Series[] {
    return this.#series.get(name) ?? [];
  }

  /** What the series of a metric with these labels come to together. */
  sum(name: string, isMeant: (labels: Series["labels"]) => boolean = () => true): number {
    return this.of(name)
      .filter(({ labels }) => isMeant(labels))
      .reduce((sum, { value }) => sum + value, 0);
  }
}

const sample = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const label = /(\w+)="((?:[^"\\]|\\.)*)"/g;

function labelsIn(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(label)].map(([, name = "", value = ""]) => [
      name,
      value.replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped)),
    ]),
  );
}
