import { Type } from '@sinclair/typebox';
import type { Msg } from '@nats-io/transport-node';
import { type ErrorClass, HANDED_BACK, laneName, type Outcome, type Signal } from '@tps/contracts';
import type { SignalSpan } from '@tps/telemetry';
import type { AttemptResult, CompiledDefinition } from './attempt';
import type { InFlightSignal } from './in-flight-signal';
import { LazyAbort } from './lazy-abort';
import type { QueueLife } from './queue-life';
import { conclude, type Conclusion, type AttemptFacts, outcomeOf, releasedOutcome } from './conclusion';

const NOW = Date.parse('2026-01-25T12:00:00.000Z');
const definition: CompiledDefinition = {
  name: 'demo',
  output: Type.Unknown(),
  timeoutMs: 1_000,
  retry: { max_attempts: 3, base_ms: 200, cap_ms: 500 },
  checkOutput: () => null,
  run: () => undefined,
};
const signal: Signal = {
  v: 1,
  id: 'id-1',
  run: 2,
  signal_type: 'demo',
  priority: 2,
  payload: {},
  timeout_ms: 30_000,
  created_at: new Date(NOW).toISOString(),
  request_hash: 'hash',
};
function inFlight(given: Partial<InFlightSignal> = {}): InFlightSignal {
  return {
    ...{ signal, definition, attempt: 1, deadlineMs: NOW + 30_000, abort: new LazyAbort() },
    lane: laneName('demo', 2),
    msg: {} as Msg,
    ...{ life: {} as QueueLife, lifeNo: 0, entry: -1 },
    info: { deliveries: 4, streamSeq: 9, consumerSeq: 9, storedAtMs: NOW, pending: 0, consumer: 'demo_2' },
    trace: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
    suspect: false,
    place: 17,
    plannedMs: NOW + 40,
    ...given,
  };
}
const span = { traceId: 'trace' } as SignalSpan;
const failure = (errorClass: ErrorClass): Extract<AttemptResult, { ok: false }> => ({
  ok: false,
  errorClass,
  message: 'no luck',
  fingerprint: 'print',
});
type Given = Partial<AttemptFacts & Pick<InFlightSignal, 'attempt' | 'deadlineMs' | 'definition'>>;
function after(result: AttemptResult | null, given: Given = {}): Conclusion {
  const { inFlight: base = inFlight(), overtaken, random = () => 1, ...more } = given;
  const facts: AttemptFacts = { inFlight: { ...base, ...more }, result, nowMs: NOW, random };
  return conclude(overtaken === undefined ? facts : { ...facts, overtaken });
}

describe('conclude', () => {
  it('succeeds with the result and the message of the type', () => {
    expect(after({ ok: true, result: 7 })).toMatchObject({
      status: 'succeeded',
      final: true,
      success: true,
      result: 7,
      message: 'demo done',
    });
    const named = { ...definition, success: 'Execution successful' };
    expect(after({ ok: true, result: 7 }, { definition: named }).message).toBe('Execution successful');
  });

  it.each([
    ['rejected', 1, 'rejected', true, 1],
    ['defect', 1, 'failed', true, 1],
    ['capacity', 1, 'failed', true, 1],
    ['transient', 1, 'retrying', false, 1],
    ['transient', 2, 'retrying', false, 2],
    ['transient', 3, 'failed', true, 3],
  ] as const)('%s on attempt %i is %s', (...row) => {
    const [errorClass, attempt, status, final, used] = row;
    expect(after(failure(errorClass), { attempt })).toMatchObject({
      status,
      final,
      attempt: used,
      success: false,
      errorClass,
      fingerprint: 'print',
      message: 'no luck',
    });
  });

  it('doubles the pause up to its cap, with full jitter', () => {
    const many = { ...definition, retry: { max_attempts: 10, base_ms: 200, cap_ms: 500 } };
    const pause = (attempt: number, chance: number): number =>
      after(failure('transient'), { attempt, definition: many, random: () => chance }).retryMs;
    expect([1, 2, 3, 9].map((attempt) => pause(attempt, 1))).toEqual([200, 400, 500, 500]);
    expect(pause(2, 0.25)).toBe(100);
    expect(pause(2, 0)).toBe(0);
  });

  describe('a type without a backoff of its own', () => {
    const usual = {
      ...definition,
      asyncRetry: { ...definition.retry, base_ms: 2_000, cap_ms: 300_000, factor: 5 },
    };
    const pause = (given: Given, reply_to?: string): number => {
      const asked = inFlight({ signal: { ...signal, ...(reply_to ? { reply_to } : {}) } });
      const facts = { definition: usual, inFlight: asked, deadlineMs: NOW + 3_600_000, ...given };
      return after(failure('transient'), facts).retryMs;
    };

    it('waits seconds if nobody waits for the outcome, and a fraction of a second if somebody does', () => {
      expect([pause({ attempt: 1 }), pause({ attempt: 2 })]).toEqual([2_000, 10_000]);
      expect([pause({ attempt: 1 }, 'inbox'), pause({ attempt: 2 }, 'inbox')]).toEqual([200, 400]);
    });

    it('waits at most half of the remaining time, so that every attempt is made', () => {
      expect(pause({ attempt: 2, deadlineMs: NOW + 4_000 })).toBe(2_000);
    });
  });

  it('waits at least as long as the failure asks for', () => {
    const told = { ...failure('transient'), retryAfterMs: 5_000 };
    const pause = (chance: number): number => after(told, { random: () => chance }).retryMs;
    expect([pause(0), pause(1)]).toEqual([5_000, 5_200]);
    expect(after(told, { deadlineMs: NOW + 5_000 }).status).toBe('failed');
  });

  it('waits as long after a failed trial, too', () => {
    const trial = { inFlight: inFlight({ epoch: 5 }) };
    expect(after({ ...failure('transient'), retryAfterMs: 60_000 }, trial).retryMs).toBe(60_000);
    expect(after(failure('transient'), trial).retryMs).toBe(3_000);
  });

  it('names the dependency that failed', () => {
    const conclusion = after({ ...failure('transient'), dependency: 'a.test:80' });
    expect(outcomeOf(conclusion, inFlight(), 'w')).toMatchObject({ dependency: 'a.test:80' });
    expect(outcomeOf(after(failure('transient')), inFlight(), 'w')).not.toHaveProperty('dependency');
  });

  it('fails at once if the next attempt could only come after the deadline', () => {
    expect(after(failure('transient'), { deadlineMs: NOW + 200 }).status).toBe('failed');
    expect(after(failure('transient'), { deadlineMs: NOW + 201 }).status).toBe('retrying');
  });

  const trialOf = (given: Partial<InFlightSignal> = {}): { inFlight: InFlightSignal } => ({
    inFlight: inFlight({ epoch: 5, ...given }),
  });
  const others = { ...inFlight().info, pending: 1 };
  const freeTrials = (trials: number): Partial<InFlightSignal> => ({
    last: { ...({} as Outcome), error_class: 'transient', attempt: 0, trials },
    failedBefore: true,
  });

  it.each([
    ['of a signal that never failed', trialOf(), false, 1],
    ['of a signal that never failed while others wait', trialOf({ info: others }), true, 1],
    ['of the only signal, which failed before', trialOf({ failedBefore: true }), false, 1],
    ['of the only signal, the third time', trialOf(freeTrials(2)), false, 3],
  ] as const)('charges no attempt for a failed trial %s', (_, given, overtaken, trials) => {
    for (const attempt of [1, 3]) {
      const failed = after(failure('transient'), { ...given, attempt, overtaken });
      expect(failed).toMatchObject({ status: 'retrying', final: false, attempt: attempt - 1, trials });
    }
  });

  it.each([
    ['while others that never failed wait in its lane', trialOf({ failedBefore: true, info: others }), false],
    ['when another took the trial from it', trialOf({ failedBefore: true }), true],
    ['the fourth time', trialOf(freeTrials(3)), false],
  ] as const)('charges a signal that failed before for a failed trial %s', (_, given, overtaken) => {
    const failed = (attempt: number): Conclusion =>
      after(failure('transient'), { ...given, attempt, overtaken });
    expect(failed(1)).toMatchObject({ status: 'retrying', final: false, attempt: 1, retryMs: 3_000 });
    expect(failed(3)).toMatchObject({ status: 'failed', final: true, attempt: 3 });
  });

  it('ends a trial that fails as a defect', () => {
    expect(after(failure('defect'), trialOf())).toMatchObject({ status: 'failed', final: true });
  });

  it('counts the free trials of a run in each of its records', () => {
    const recorded = (given: Partial<InFlightSignal>): Outcome => {
      const { inFlight: of } = trialOf(given);
      return outcomeOf(after(failure('transient'), { inFlight: of }), of, 'w');
    };
    expect(recorded({}).trials).toBe(1);
    expect(recorded(freeTrials(2)).trials).toBe(3);
    expect(recorded(freeTrials(3)).trials).toBe(3);
    const released = releasedOutcome(inFlight(), { workerId: 'w', used: 1, ...freeTrials(2) });
    expect(released.trials).toBe(2);
    expect(outcomeOf(after(failure('transient')), inFlight(), 'w')).not.toHaveProperty('trials');
  });

  it('ends a run whose last attempt was a failed trial, without another attempt', () => {
    const last = { attempt: 3, epoch: 5, error_class: 'transient', message: 'no luck' } as Outcome;
    expect(after(null, { attempt: 4, inFlight: inFlight({ last }) })).toMatchObject({
      ...{ status: 'failed', final: true, attempt: 3, errorClass: 'transient', message: 'no luck' },
    });
  });

  it('expires a signal that was not started in time, and counts no attempt', () => {
    expect(after(null, { deadlineMs: NOW })).toMatchObject({
      ...{ status: 'expired', final: true, attempt: 0, errorClass: 'capacity' },
    });
  });

  it('tells why a signal found no room until it expired', () => {
    const message = (last: string): string =>
      after(null, { deadlineMs: NOW, inFlight: inFlight({ last: { message: last } as Outcome }) }).message;
    const told = 'not started within its timeout_ms: all threads are busy';
    expect([message('all threads are busy'), message(told)]).toEqual([told, told]);
    expect(message(HANDED_BACK)).toBe('not started within its timeout_ms');
  });

  it('fails a signal that killed its worker every time, as a defect', () => {
    expect(after(null, { attempt: 4 })).toMatchObject({
      status: 'failed',
      final: true,
      attempt: 3,
      errorClass: 'defect',
      fingerprint: 'vanished:demo',
    });
  });

  it('fails what killed its worker once and has no time left, as a transient error', () => {
    const once = after(null, { attempt: 2, deadlineMs: NOW });
    expect(once).toMatchObject({ status: 'failed', final: true, attempt: 1, errorClass: 'transient' });
    expect(after(null, { attempt: 4, deadlineMs: NOW })).toMatchObject({ errorClass: 'defect', attempt: 3 });
  });
});

describe('outcomeOf', () => {
  const ran = { startedMs: NOW + 50, processMs: 12.3456, span };

  it('keeps waiting and work apart, and has the lane and the place in the sequence', () => {
    const outcome = outcomeOf(after({ ok: true, result: { a: 1 } }), inFlight(ran), 'w');
    expect(outcome).toEqual({
      v: 1,
      signal_id: 'id-1',
      run: 2,
      signal_type: 'demo',
      priority: 2,
      status: 'succeeded',
      final: true,
      attempt: 1,
      success: true,
      message: 'demo done',
      result: { a: 1 },
      worker_id: 'w',
      enqueued_at: '2026-01-25T12:00:00.000Z',
      started_at: '2026-01-25T12:00:00.050Z',
      finished_at: '2026-01-25T12:00:00.062Z',
      wait_ms: 50,
      process_ms: 12.346,
      trace_id: 'trace',
      delivery: 4,
      request_hash: 'hash',
      level: { lane: 'demo_2', place: 17, card_wait_ms: 10 },
    });
  });

  it('never has a negative waiting time when the clocks disagree', () => {
    const early = inFlight({ ...ran, startedMs: NOW - 500 });
    const outcome = outcomeOf(after({ ok: true, result: undefined }), early, 'w');
    expect([outcome.wait_ms, outcome.level?.card_wait_ms]).toEqual([0, 0]);
    expect(outcome).not.toHaveProperty('result');
  });

  it('carries the epoch of a trial', () => {
    expect(outcomeOf(after({ ok: true, result: 1 }), inFlight({ epoch: 3 }), 'w').epoch).toBe(3);
  });
});

test('the record of a release is not final and has the delivery count, so that it counts as no attempt', () => {
  expect(releasedOutcome(inFlight(), { workerId: 'w', used: 2 })).toMatchObject({
    status: 'returned',
    final: false,
    attempt: 2,
    delivery: 4,
    process_ms: 0,
    trace_id: '0af7651916cd43dd8448eb211c80319c',
  });
  expect(releasedOutcome(inFlight({ trace: undefined }), { workerId: 'w', used: 0 }).trace_id).toBe('');
  const full = inFlight({ noRoom: 'all threads are busy' });
  expect(releasedOutcome(full, { workerId: 'w', used: 0 }).message).toBe('all threads are busy');
});
