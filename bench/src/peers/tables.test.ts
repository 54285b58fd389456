import type { Sample } from '../sample';
import { PEERS } from '../scenarios';
import { driverCosts, tables } from './tables';

const sample = (system: string, round: number, change: Partial<Sample> = {}): Sample => ({
  system,
  scenario: PEERS.low.name,
  round,
  throughput: 200,
  p50: 1,
  p95: 2,
  p99: 3,
  cpuMs: 1,
  split: {},
  rssMiB: 100,
  ok: 1_200,
  notOk: {},
  late: 0,
  unsent: 0,
  driverCpuMs: 0.1,
  ...change,
});

const cellsOf = (text: string, title: string): string[] =>
  text
    .split('\n')
    .find((line) => line.startsWith(`| ${title} `))!
    .split('|')
    .map((cell) => cell.trim());

test('the first table compares CPU, and its ratios are computed within a round', () => {
  const samples = [
    sample('fleet', 1, { cpuMs: 2 }),
    sample('floor', 1, { cpuMs: 1 }),
    sample('fleet', 2, { cpuMs: 6 }),
    sample('floor', 2, { cpuMs: 2 }),
  ];
  const text = tables(['fleet', 'floor'], new Set(['fleet']), samples);
  expect(cellsOf(text, '**fleet**').slice(2, 5)).toEqual(['yes', '4.00 [2.00-6.00]', '1']);
  expect(cellsOf(text, 'floor').slice(2, 5)).toEqual(['no', '1.50 [1.00-2.00]', '2.50 [2.00-3.00]']);
});

test('a round that a peer did not finish has no ratio', () => {
  const text = tables(['floor'], new Set(), [sample('fleet', 2), sample('floor', 1)]);
  expect(cellsOf(text, 'floor')[4]).toBe('-');
});

test('the cost of a driver is its median over all systems', () => {
  const full = [0.2, 0.4, 0.3].map((driverCpuMs) =>
    sample('fleet', 1, { scenario: PEERS.full.name, driverCpuMs }),
  );
  const autocannon = sample('fleet', 1, { scenario: PEERS.autocannon.name, driverCpuMs: 0.9 });
  expect(driverCosts([...full, autocannon])).toMatch(/ 0\.30 .* 0\.90/);
});
