import { find } from './elements.js';
import uPlot from './uplot.js';

/** Every chart shows as much, so that they can be compared. */
const SHOWN_S = 300;
/** Seconds between the marks below. */
const STEPS = [120];
const MAX_POINTS = 1_000;

/** A canvas knows no CSS variables: the legend has the colours of the theme that is shown. */
function colour(name: string): string {
  return getComputedStyle(find(name === 'ink' ? '.legend' : `.legend .${name}`)).color;
}

/** What one line finished per second, and how much waited, over the last minutes as this page saw them. */
export class LineChart {
  private readonly times: number[] = [];
  private readonly rates: number[] = [];
  private readonly waits: number[] = [];
  private readonly plot: uPlot;

  constructor(private readonly place: HTMLElement) {
    const axis = {
      stroke: () => colour('ink'),
      font: '11px system-ui',
      grid: { show: false },
      ticks: { show: false },
    };
    const series = (label: string, name: string): uPlot.Series => ({
      label,
      stroke: () => colour(name),
      width: 1.5,
      points: { show: false },
      scale: name,
    });
    const range = (_: uPlot, __: number, most: number): [number, number] => [0, Math.max(1, most * 1.15)];
    this.plot = new uPlot(
      {
        width: Math.max(120, place.clientWidth),
        height: 72,
        legend: { show: false },
        cursor: { show: false },
        padding: [6, 0, 0, 0],
        scales: {
          x: { time: true, range: (_, __, last) => [last - SHOWN_S, last] },
          rate: { range },
          wait: { range },
        },
        axes: [
          { ...axis, size: 18, incrs: STEPS, space: 40, values: '{HH}:{mm}' },
          { ...axis, scale: 'rate', stroke: () => colour('rate'), size: 38, space: 28 },
          { ...axis, scale: 'wait', stroke: () => colour('wait'), size: 38, space: 28, side: 1 },
        ],
        series: [{}, series('finished per second', 'rate'), series('waiting', 'wait')],
      },
      [[], [], []],
      place,
    );
    new ResizeObserver(() =>
      this.plot.setSize({ width: Math.max(120, place.clientWidth), height: 72 }),
    ).observe(place);
    addEventListener('themechange', () => this.plot.redraw());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.plot.redraw());
  }

  add(at: number, rate: number, waiting: number): void {
    const last = this.times.at(-1) ?? 0;
    if (at / 1000 <= last) return;
    this.times.push(at / 1000);
    this.rates.push(rate);
    this.waits.push(waiting);
    while (this.times.length > MAX_POINTS || at / 1000 - this.times[0]! > SHOWN_S) {
      for (const list of [this.times, this.rates, this.waits]) list.shift();
    }
    this.plot.setData([this.times, this.rates, this.waits]);
    const summary = `${rate} finished per second, ${waiting} waiting; highest of the last minutes ${Math.max(...this.rates)} per second`;
    this.place.setAttribute('aria-label', summary);
  }
}
