import type { FoundSignal, Signal } from '@tps/contracts';
import { sampleOutcome } from '@tps/testkit';
import { publicOutcome, signalBody } from './signal-body';

const AT = '2026-01-25T12:00:00.000Z';
const ID = '018f4f6e-0000-7000-8000-000000000000';
const runs = (): boolean => false;
const stopped = (): boolean => true;
const failedAttempt = sampleOutcome({
  signal_id: ID,
  status: 'retrying',
  final: false,
  attempt: 1,
  message: 'no connection',
});

function queued(given: Partial<FoundSignal> = {}, run = 0): FoundSignal {
  const signal: Signal = {
    v: 1,
    id: ID,
    run,
    signal_type: 'execute',
    priority: 2,
    payload: {},
    timeout_ms: 30_000,
    created_at: AT,
  };
  return { signal, stream_seq: 1, accepted_at: AT, running: false, trace_id: 'a'.repeat(32), ...given };
}

describe('a signal that is not finished', () => {
  test.each([
    ['queued', 'Accepted', { found: queued(), outcomes: [] }, runs],
    ['held', 'Paused while its line is stopped', { found: queued(), outcomes: [] }, stopped],
    ['running', 'A worker is processing it', { found: queued({ running: true }), outcomes: [] }, stopped],
    ['retrying', 'no connection', { found: queued(), outcomes: [failedAttempt] }, runs],
    ['held', 'Paused while its line is stopped', { found: queued(), outcomes: [failedAttempt] }, stopped],
    ['retrying', 'no connection', { found: null, outcomes: [failedAttempt] }, runs],
  ])('is %s: %s', (status, message, known, isPaused) => {
    const body = signalBody(ID, known, isPaused);
    expect(body).toMatchObject({ signal_id: ID, status, message, final: false, success: null });
  });

  test('is known by its line even when only a failed attempt is recorded', () => {
    const asked: string[] = [];
    signalBody(ID, { found: null, outcomes: [failedAttempt] }, (type) => asked.push(type) > 1);
    expect(asked).toEqual([failedAttempt.signal_type]);
  });
});

test('a finished signal has the fields of its outcome, without those that only the fleet needs', () => {
  const outcome = sampleOutcome({ signal_id: ID, request_hash: 'b'.repeat(64), result: { n: 1 } });
  const body = signalBody(ID, { found: null, outcomes: [outcome] }, stopped);
  expect(body).toMatchObject({ status: outcome.status, final: true, result: { n: 1 } });
  expect(publicOutcome(outcome)).not.toHaveProperty('request_hash');
  expect(publicOutcome(outcome)).not.toHaveProperty('v');
});

test('a run that is queued behind a failed one is shown as the last of two runs, each accepted once', () => {
  const failed = sampleOutcome({ signal_id: ID, run: 0, status: 'failed', success: false });
  const body = signalBody(ID, { found: queued({}, 1), outcomes: [failed] }, runs);
  expect(body).toMatchObject({
    run: 1,
    status: 'queued',
    runs: [
      { run: 0, status: 'failed' },
      { run: 1, status: 'queued', attempt: 0 },
    ],
    timeline: [
      { event: 'accepted', run: 0 },
      { event: 'started', run: 0 },
      { event: 'finished', run: 0 },
      { event: 'accepted', run: 1 },
    ],
  });
});

test.each(['expired', 'cancelled'] as const)('a signal that %s has never started', (status) => {
  const outcome = sampleOutcome({ signal_id: ID, status });
  const body = signalBody(ID, { found: null, outcomes: [outcome] }, runs);
  expect(body).toMatchObject({ timeline: [{ event: 'accepted' }, { event: 'finished' }] });
});
