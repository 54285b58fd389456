import type { CircuitRecord, Outcome } from '@tps/contracts';
import { sampleOutcome } from '@tps/testkit';
import { afterOutcome, closedCircuit } from './circuit-transitions';
import type { DefectRecords } from './equal-defects';
import type { StopDecision } from './line-monitor';
import { grantTrial } from './trials';

export const T0 = Date.parse('2026-01-25T12:00:00.000Z');
const settings = { threshold: 3, errorPercent: 50, slowMs: 0, pauseMs: 1_000 };
export const decided: StopDecision = { reason: '3 failed attempts in a row' };
export const at = (ms: number): Date => new Date(T0 + ms);
export const bad: Partial<Outcome> = { status: 'retrying', error_class: 'transient' };

export function after(
  record: CircuitRecord,
  given: Partial<Outcome>,
  {
    seq = 10,
    ms = 0,
    decision = null as StopDecision | null,
    defects = [] as DefectRecords,
    andonId = 'stop-1',
  } = {},
): CircuitRecord | null {
  const step = { outcome: sampleOutcome(given), seq, at: at(ms), decision, defects, andonId };
  return afterOutcome(record, step, settings);
}
export const closed = closedCircuit('demo', at(0));
export const open = after(closed, bad, { decision: decided })!;
export const trying = grantTrial(open, {
  workerId: 'w',
  timeoutMs: 500,
  failedBefore: false,
  now: at(1_000),
})!;
