import { Type } from '@sinclair/typebox';
import { list, oneOf, text } from './fields';
import { Outcome } from './outcome';
import { signalType } from './signal';

/** worker -> kanban, before it pulls: create the lanes of these types, because a pull from a missing lane gets no answer. */
export const LanesRequest = Type.Object({ types: Type.Array(signalType()) });
/**
 * Default and bounds of a worker's lease on a delivered signal, in milliseconds (`TPS_LEASE_MS`). The worker renews the
 * lease while it lives. When the lease ends, the broker delivers the signal to another worker.
 */
export const LEASE_MS = { default: 8_000, min: 2_000, max: 300_000 } as const;

export const LanesReply = Type.Object({
  ready: Type.Boolean(),
  lease_ms: Type.Optional(
    Type.Integer({ description: 'The lease on signals of every lane, in milliseconds; absent: 8000' }),
  ),
  created: Type.Optional(
    Type.String({
      description: 'When the broker created the stream; earlier deliveries are of another stream',
    }),
  ),
});

/** gateway -> kanban: remove a signal that has not started. */
export const CancelRequest = Type.Object({
  id: Type.String(),
  by: Type.Optional(text('The person who asks for it')),
});
/** `unavailable`: a worker did not answer, so the signal may have started; nothing was removed. */
export const CancelReply = Type.Union([
  Type.Object({ cancelled: Type.Literal(true), outcome: Outcome }),
  Type.Object({ cancelled: Type.Literal(false), reason: oneOf(['not_found', 'started', 'unavailable']) }),
]);

/** kanban -> all workers: who has this signal? Every worker answers, so that silence is not taken for "no". */
export const InFlightRequest = Type.Object({
  id: Type.Optional(Type.String({ description: 'Without an id, all signals that it has started' })),
  run: Type.Optional(
    Type.Integer({ description: 'To `refuse`: this run and those before. Absent: every run' }),
  ),
  undo: Type.Optional(
    Type.Boolean({ description: 'To `refuse`: the signal stays in the queue, so lift the block' }),
  ),
});
export const InFlightReply = Type.Object({
  worker_id: Type.String(),
  state: oneOf(['none', 'waiting', 'started']),
  started: Type.Optional(list(Type.String(), 'Without an `id` in the request: the signals it has started')),
  unread: Type.Optional(
    list(
      Type.String(),
      'A handler blocks it, or did so a moment ago: deliveries of these types may be unread here, except for `started`',
    ),
  ),
});
