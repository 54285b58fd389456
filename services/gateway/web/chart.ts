import type { LineChart as Figures } from '@tps/contracts';
import { find } from './elements.js';
import uPlot from './uplot.js';

/** Every chart shows the same stretch, so that they can be compared: from the first figure on, within these bounds. */
const SHOWN_S = { least: 300, most: 3_600 };
/** Seconds between the marks below; the smallest that leaves room is taken. */
const STEPS = [60, 120, 300, 600, 900, 1_800];
/** Signals between the marks at the side: there is no half a signal. */
const WHOLE = [1, 2, 5]
  .flatMap((digit) => [1, 10, 100, 1_000, 10_000].map((power) => digit * power))
  .sort((a, b) => a - b);
/** A step of the figures that andon keeps, and as long as the window of a line's rate. */
const STEP_S = 10;

let firstS = Infinity;

/** A canvas knows no CSS variables: the legend has the colours of the theme that is shown. */
function colour(name: string): string {
  return getComputedStyle(find(name === 'ink' ? '.legend' : `.legend .${name}`)).color;
}

const stepOf = (seconds: number): number => Math.floor(seconds / STEP_S) * STEP_S;

/** Draws how many signals one line finished per second and how many waited, for up to an hour. A line without figures has no chart. */
export class LineChart {
  private times: number[] = [];
  private rates: number[] = [];
  private waits: (number | null)[] = [];
  private plot: uPlot | undefined;

  constructor(private readonly place: HTMLElement) {
    addEventListener('themechange', () => this.plot?.redraw());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.plot?.redraw());
  }

  /** Draws the figures that andon kept. @param from start of the first step, in seconds */
  load(from: number, { finished, waiting }: Figures): void {
    this.times = finished.map((_, i) => from + i * STEP_S);
    this.rates = finished.map((count) => count / STEP_S);
    this.waits = [...waiting];
    this.draw();
  }

  /** Adds the present figures, in place of earlier ones of the same step. */
  add(at: number, rate: number, waiting: number | null): void {
    const step = stepOf(at / 1_000);
    const last = this.times.at(-1) ?? -Infinity;
    if (step < last) return;
    const place = step === last ? this.times.length - 1 : this.times.length;
    this.times[place] = step;
    this.rates[place] = rate;
    this.waits[place] = waiting;
    while (step - this.times[0]! > SHOWN_S.most) {
      for (const list of [this.times, this.rates, this.waits]) list.shift();
    }
    this.draw();
  }

  private draw(): void {
    firstS = Math.min(firstS, this.times[0] ?? Infinity);
    const isEmpty = !this.rates.some(Boolean) && !this.waits.some(Boolean);
    this.place.hidden = isEmpty;
    if (isEmpty) return;
    this.plot ??= this.newPlot();
    this.plot.setData([this.times, this.rates, this.waits]);
    const [rate, waiting] = [this.rates.at(-1), this.waits.at(-1) ?? 'an unknown number'];
    const summary = `${rate} finished per second, ${waiting} waiting; highest of the time shown ${Math.max(...this.rates)} per second`;
    this.place.setAttribute('aria-label', summary);
  }

  private newPlot(): uPlot {
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
    const size = (): { width: number; height: number } => ({
      width: Math.max(120, this.place.clientWidth),
      height: this.place.clientHeight,
    });
    const plot = new uPlot(
      {
        ...size(),
        legend: { show: false },
        cursor: { show: false },
        padding: [6, 0, 0, 0],
        scales: {
          x: { time: true, range: (_, __, last) => [beginOf(last), last] },
          rate: { range },
          wait: { range },
        },
        axes: [
          { ...axis, size: 18, incrs: STEPS, space: 48, values: '{HH}:{mm}' },
          { ...axis, scale: 'rate', stroke: () => colour('rate'), size: 38, space: 28 },
          {
            ...axis,
            scale: 'wait',
            stroke: () => colour('wait'),
            size: 38,
            space: 28,
            side: 1,
            incrs: WHOLE,
          },
        ],
        series: [{}, series('finished per second', 'rate'), series('waiting', 'wait')],
      },
      [[], [], []],
      this.place,
    );
    new ResizeObserver(() => plot.setSize(size())).observe(this.place);
    return plot;
  }
}

function beginOf(lastS: number): number {
  return Math.min(lastS - SHOWN_S.least, Math.max(lastS - SHOWN_S.most, firstS));
}
