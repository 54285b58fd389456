import { type Static, Type } from '@sinclair/typebox';
import { AndonCall, Colour } from '../andon';
import { CircuitState } from '../circuit';
import { count, list, mapOf, ms, nullable, number, oneOf, percent, text, time } from '../fields';
import { SERVICES, type ServiceName } from '../fleet';
import { LineState } from '../line-state';
import { version } from '../version';
import { SignalCounts } from './kanban';

const light = {
  colour: Colour,
  rule: text('The rule that gave the colour; `within_limits` when none is broken'),
  reason: text('Why, in words'),
  since: time('Since when it has this colour'),
  andon_id: Type.Optional(
    text('The call to acknowledge or resume; absent while it is GREEN and nobody called'),
  ),
};

/** The light of a signal type's line, with the figures behind it. */
export const LineStatus = Type.Object({
  ...light,
  trace_id: Type.Optional(text('The trace that caused the colour')),
  state: Type.Optional(LineState),
  error_rate: percent('Failed of processed signals over the last five minutes'),
  p99_ms: ms('99th percentile of the work over the last five minutes'),
  standard_ms: Type.Optional(
    nullable(
      ms('Milliseconds'),
      'The standard time of the type, by which p99 is judged; null for a type without one',
    ),
  ),
  processed_5m: count('Signals processed in the last five minutes'),
  failed_5m: Type.Optional(count('The failed ones among them')),
  judged_from: Type.Optional(
    count('The error rate and p99 give no colour before so many signals were processed in five minutes'),
  ),
  refused_5m: Type.Optional(
    count(
      'Signals that gateways refused in the last five minutes because the line was stopped or the queue took none, as far as those gateways still run',
    ),
  ),
  expired_5m: Type.Optional(count('Signals that expired unrun in the last five minutes')),
  cut_off_5m: Type.Optional(
    count("Signals whose handler was cut off by the sender's own deadline in the last five minutes"),
  ),
  lost_percent: Type.Optional(
    percent('Expired, cut off and refused for want of room, of all signals offered in the last five minutes'),
  ),
  offered_per_s: Type.Optional(
    number(
      'Signals offered per second over the last ten seconds, accepted or refused, as living gateways tell',
    ),
  ),
  oldest_age_ms: Type.Optional(
    nullable(
      ms('Milliseconds'),
      'How long the oldest signal has waited that is neither held nor in its backoff; null without one',
    ),
  ),
  max_wait_ms: Type.Optional(ms('How long a signal of the type may wait before the line is YELLOW')),
  wait_p95_ms: Type.Optional(
    ms('95th percentile of the wait over the last five minutes, expired signals included'),
  ),
  waits_for: Type.Optional(
    text('The cause of the wait, such as `all 4 slots busy`; absent while nothing waits'),
  ),
  next_trial_at: Type.Optional(
    time('The circuit lets the next signal through at this moment; absent while no trial is ahead'),
  ),
  rate_per_s: number('Signals finished per second, over the last ten seconds'),
  circuit: CircuitState,
  stopped: Type.Boolean({ description: 'A person, or a call that nobody answered, has it stopped' }),
  queue: nullable(
    Type.Object({
      waiting: count('Signals that no worker has'),
      in_progress: count('Signals delivered to a worker, or released for a retry'),
      held: count('Queued and delivered signals that wait for the line to start again'),
      counts: Type.Optional(SignalCounts),
    }),
    'Accepted and unfinished; null while kanban does not answer',
  ),
  cards: nullable(
    Type.Object({ limit: count('Signals that may be in progress'), in_use: count('Signals in flight') }),
    'The bound of the work in progress; null while kanban does not answer',
  ),
});
export type LineStatus = Static<typeof LineStatus>;

/** One process of a service. */
export const Replica = Type.Object({
  instance: text('The process'),
  ready: Type.Boolean({ description: 'It can do its work' }),
  started_at: time('When the process began'),
  silent_ms: Type.Number({ minimum: 0, description: 'Since it was last heard, in milliseconds' }),
});
export type Replica = Static<typeof Replica>;

/** The light of a service's station. */
export const StationStatus = Type.Object({
  ...light,
  up: Type.Boolean({ description: 'At least one process is ready' }),
  replicas: count('Ready processes'),
  instances: list(Replica, 'Its processes'),
});
export type StationStatus = Static<typeof StationStatus>;

const OpenCall = Type.Composite([
  AndonCall,
  Type.Object({
    age_ms: Type.Number({ minimum: 0, description: 'How long it has been open, in milliseconds' }),
    stopped: Type.Boolean({ description: 'The line stands still because of it' }),
  }),
]);
/** A call that waits for a person: nobody has resumed its line yet. */
export type OpenCall = Static<typeof OpenCall>;

/** andon's view of the fleet: the light of every line and station, and the open calls. */
export const AndonBoard = Type.Object(
  {
    v: version(),
    at: time('Time of this answer'),
    colour: oneOf(['GREEN', 'YELLOW', 'RED'], { description: 'The worst of all' }),
    lines: mapOf(LineStatus, 'By signal type'),
    stations: Type.Unsafe<Record<ServiceName, StationStatus>>(
      Type.Object(Object.fromEntries(SERVICES.map((service) => [service, StationStatus]))),
    ),
    calls: list(OpenCall, 'Open calls, oldest first'),
    answers: Type.Object(
      {
        calls: count('Calls that were resumed'),
        mean_acknowledge_ms: nullable(
          Type.Number(),
          'Until somebody looked after it; null without an acknowledged call',
        ),
        mean_restore_ms: nullable(Type.Number(), 'Until the line ran again; null without a call'),
      },
      { description: 'How people answered the resumed calls, as far back as the history goes' },
    ),
    position: count('Sequence of the latest event of the history that this takes into account'),
  },
  { description: 'Colours of lines and stations, and the open calls' },
);
export type AndonBoard = Static<typeof AndonBoard>;
