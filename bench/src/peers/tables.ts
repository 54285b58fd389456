import type { Sample } from '../sample';
import { spread } from '../percentiles';
import { figure, withRange } from '../report';
import { PEERS } from '../scenarios';
import type { Figure } from '../summary';
import { FLEET } from './contestants';

/** A sample of the comparison; `system` is the title of a contestant. */
type Samples = readonly Sample[];
type Column = [head: string, cell: (title: string) => string];

/** Renders the comparison as Markdown: CPU first, because it depends least on the machine and says what a signal costs. */
export function tables(titles: readonly string[], durable: ReadonlySet<string>, samples: Samples): string {
  const { full, autocannon, low, middle } = PEERS;
  const of = (head: string, scenario: { name: string }, key: Figure): Column => [
    head,
    (title) => withRange(spread(inRounds(samples, title, scenario.name).map((sample) => sample[key]))),
  ];
  const ratio = (scenario: { name: string }, key: Figure): Column => [
    'fleet / it',
    (title) => ratioOf(samples, title, scenario.name, key),
  ];
  const blocks: [string, Column[]][] = [
    [
      'CPU ms per signal',
      [
        ['durable', (title) => (durable.has(title) ? 'yes' : 'no')],
        of('200/s', low, 'cpuMs'),
        ratio(low, 'cpuMs'),
        of('500/s', middle, 'cpuMs'),
        ratio(middle, 'cpuMs'),
        of('64 connections', full, 'cpuMs'),
        ratio(full, 'cpuMs'),
      ],
    ],
    [
      'full load, 64 connections',
      [
        of('signals/s', full, 'throughput'),
        ratio(full, 'throughput'),
        of('p99 ms', full, 'p99'),
        of('signals/s by autocannon', autocannon, 'throughput'),
        ratio(autocannon, 'throughput'),
        of('p99 ms by autocannon', autocannon, 'p99'),
        of('RSS MiB', full, 'rssMiB'),
      ],
    ],
    [
      'open loop, latency ms from the due time',
      [
        of('p50, 200/s', low, 'p50'),
        ratio(low, 'p50'),
        of('p99, 200/s', low, 'p99'),
        ratio(low, 'p99'),
        of('p50, 500/s', middle, 'p50'),
        of('p99, 500/s', middle, 'p99'),
      ],
    ],
  ];
  return blocks.map(([title, columns]) => markdown(title, columns, titles)).join('\n\n');
}

/** Says what each driver costs, because it runs on the cores of the measured system. */
export function driverCosts(samples: Samples): string {
  const cost = ({ name }: { name: string }): string =>
    figure(
      spread(samples.filter((one) => one.scenario === name).map(({ driverCpuMs }) => driverCpuMs)).median,
    );
  return `Driver at full load: our own takes ${cost(PEERS.full)} ms of CPU per signal, autocannon ${cost(PEERS.autocannon)}.`;
}

function markdown(head: string, columns: readonly Column[], titles: readonly string[]): string {
  const rows = [
    [head, ...columns.map(([name]) => name)],
    ['---', ...columns.map(() => '---')],
    ...titles.map((title) => [
      title === FLEET ? `**${title}**` : title,
      ...columns.map(([, cell]) => cell(title)),
    ]),
  ];
  return rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** The ratio is computed within a round, because the machine drifts more between rounds. */
function ratioOf(samples: Samples, title: string, scenario: string, key: Figure): string {
  const fleet = new Map(inRounds(samples, FLEET, scenario).map((sample) => [sample.round, sample[key]]));
  const ratios = inRounds(samples, title, scenario).map(
    (sample) => (fleet.get(sample.round) ?? NaN) / sample[key],
  );
  return title === FLEET ? '1' : withRange(spread(ratios));
}

function inRounds(samples: Samples, title: string, scenario: string): Sample[] {
  return samples.filter((sample) => sample.system === title && sample.scenario === scenario);
}
