import { setTimeout as sleep } from 'node:timers/promises';
import { type Static, type TSchema, Type } from '@sinclair/typebox';
import Ajv from 'ajv';
import type { HandlerContext, SignalDefinition } from '../definition';
import { DefectError, RejectedError, TransientError } from '../failure';

/**
 * The faults that a payload may request under `chaos`. The attempt first waits `sleep_ms`, then it crashes, hangs or
 * fails. `fail_first` and `fail_rate` choose the attempts to which that happens; without them it happens to all.
 */
const ChaosSchema = Type.Object(
  {
    sleep_ms: Type.Optional(Type.Integer({ minimum: 0, maximum: 600_000 })),
    fail: Type.Optional(
      Type.Union([Type.Literal('transient'), Type.Literal('defect'), Type.Literal('rejected')]),
    ),
    fail_rate: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
    fail_first: Type.Optional(Type.Integer({ minimum: 0 })),
    hang: Type.Optional(Type.Boolean()),
    crash: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
type Chaos = Static<typeof ChaosSchema>;

const ALLOWED =
  '{sleep_ms: 0..600000, fail: transient|defect|rejected, fail_rate: 0..1, fail_first: 0 or more, ' +
  'hang: boolean, crash: boolean}';
const FAILURES = { transient: TransientError, defect: DefectError, rejected: RejectedError };

const check = new Ajv().compile<Chaos>(ChaosSchema);

/** Lets payloads of this type request faults. If not enabled, `chaos` is an ordinary key of a payload. */
export function withChaos(definition: SignalDefinition, enabled: boolean): SignalDefinition {
  if (!enabled) return definition;
  return {
    ...definition,
    ...(definition.input ? { input: admitChaos(definition.input) } : {}),
    run: async (input, context) => {
      const { chaos, ...payload } = input as Record<string, unknown>;
      if (chaos !== undefined) await misbehave(chaos, context);
      return definition.run(payload, context);
    },
  };
}

/** A schema without additional properties would make the gateway refuse the drill. */
function admitChaos(input: TSchema): TSchema {
  const properties = input.properties as object | undefined;
  return properties ? { ...input, properties: { chaos: {}, ...properties } } : input;
}

async function misbehave(chaos: unknown, { signal, abort }: HandlerContext): Promise<void> {
  if (!check(chaos)) throw new RejectedError(`payload.chaos must be ${ALLOWED}`);
  if (chaos.sleep_ms) await sleep(chaos.sleep_ms, undefined, { signal: abort });
  if (!strikes(chaos, signal.attempt)) return;
  if (chaos.crash) process.kill(process.pid, 'SIGKILL');
  if (chaos.hang) await untilAborted(abort);
  const failure = FAILURES[chaos.fail ?? 'transient'];
  throw new failure(`chaos: attempt ${signal.attempt} was asked to fail`);
}

function strikes({ fail, fail_rate, fail_first, hang, crash }: Chaos, attempt: number): boolean {
  if (fail_first === undefined && fail_rate === undefined) return Boolean(fail || hang || crash);
  return attempt <= (fail_first ?? 0) || Math.random() < (fail_rate ?? 0);
}

function untilAborted(abort: AbortSignal): Promise<void> {
  return new Promise((_, reject) => {
    const end = (): void => reject(new TransientError('chaos: hung until it was aborted'));
    if (abort.aborted) end();
    else abort.addEventListener('abort', end, { once: true });
  });
}
