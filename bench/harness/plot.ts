import { ScatterChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { figure } from "./figure.ts";
import type { BenchResult } from "./result.ts";

const marks = [
  { name: "min", color: "#9aa5b1" },
  { name: "p50", color: "#1f6feb" },
  { name: "p95", color: "#d29922" },
  { name: "p99", color: "#cf222e" },
] as const;

const width = 900;
const rowHeight = 34;
const frameHeight = 150;

use([ScatterChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

/** Draws a result as SVG: a line a series, with its smallest value and percentiles as dots. */
export function plot(result: BenchResult): string {
  const { name, unit, better, series } = result;
  const height = frameHeight + rowHeight * series.length;
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    // A logarithm has no zero.
    const isLog = series.every(({ min }) => min > 0);
    chart.setOption({
      animation: false,
      backgroundColor: "#ffffff",
      title: { text: name, subtext: `${unit}, ${better} is better` },
      legend: { right: 10, top: 10, data: marks.map((mark) => mark.name) },
      grid: { left: 150, right: 60, top: 80, bottom: 50 },
      xAxis: { type: isLog ? "log" : "value", name: unit, nameLocation: "middle", nameGap: 30 },
      yAxis: { type: "category", inverse: true, data: series.map((each) => each.name) },
      series: marks.map((mark) => ({
        type: "scatter",
        name: mark.name,
        symbolSize: mark.name === "p50" ? 14 : 9,
        itemStyle: { color: mark.color },
        label: {
          show: mark.name === "p50",
          position: "top",
          formatter: ({ value }: { value: unknown }) => figure((value as [number, string])[0]),
        },
        data: series.map((each) => [each[mark.name], each.name]),
      })),
    });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}
