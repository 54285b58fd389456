import type { AndonCall, CircuitState } from '@tps/contracts';
import { BLOCKED } from './blocked-workers';
import type { Breach, LightRule } from './assessment';
import type { FlowLine } from './flow/flow-line';
import { LOST } from './flow/lost';
import { REJECTS } from './flow/rejects';
import { STANDSTILL } from './flow/standstill';
import { WAITING } from './flow/waiting';
import type { LineFigures } from './line-window';
import { STATE_LOST } from './state-loss';
import type { StationFacts } from './station-facts';
import { colourOf } from './thresholds';

/** The facts that the rules assess: one line at one moment. */
export interface LineFacts extends LineFigures, FlowLine {
  circuit: CircuitState;
  /** Only a person starts the circuit again. */
  latched: boolean;
  circuit_reason?: string;
  circuit_trace?: string;
  /** The open call on the line, and whether it stands still because of it. */
  call?: AndonCall;
  stopped: boolean;
  /** Some living worker serves the type. */
  served: boolean;
  /** Dependencies that its handlers leave alone at present, because they failed. */
  failing: readonly string[];
  /** Handlers that ignore their AbortSignal and still run, over all workers. */
  deaf: number;
}

/** A rate or percentile of fewer signals says little. */
export const ENOUGH = 20;
const ERROR_PERCENT = { yellow: 1, red: 5 };
const DEAD_PERCENT = { yellow: 80, red: 98 };
/** RED begins at so many times the standard time. */
const P99_RED = 2.5;

/** In the order in which they are named when several give the same colour. */
export const LINE_RULES: readonly LightRule<LineFacts>[] = [
  {
    rule: 'defect',
    kind: 'call',
    red: 'TPS_CB_THRESHOLD different signals hit the same defect within 5 minutes: the circuit is latched',
    first:
      'Open the trace of the call. The fault is in the code, not in a dependency: mend or roll back the worker, then ' +
      'resume the call and say what you did. No trial starts this line.',
    assess: ({ latched, circuit_reason, circuit_trace }) =>
      latched ? caused(circuit_trace, { colour: 'RED', reason: because(circuit_reason) }) : undefined,
  },
  {
    rule: 'circuit',
    kind: 'circuit',
    yellow: 'the circuit is half-open and allows one trial at a time',
    red: 'the circuit is open after failures, slow attempts or a failed trial',
    first:
      'Look at the dependency that the trace names. Nothing is lost: queued signals keep their attempts and deadlines. ' +
      'The line starts again by itself after a successful trial; resume the call to start it now.',
    assess: ({ circuit, circuit_reason, circuit_trace }) => {
      if (circuit === 'Closed') return undefined;
      const colour = circuit === 'Open' ? 'RED' : 'YELLOW';
      return caused(circuit_trace, { colour, reason: `circuit ${circuit}: ${because(circuit_reason)}` });
    },
  },
  {
    rule: 'unanswered',
    kind: 'call',
    red: 'nobody acknowledged a call in time, so the line stopped',
    first:
      'Acknowledge the call, then do what its reason asks for. The line runs again when you resume the call.',
    assess: ({ stopped, call }) =>
      stopped && call && !call.acknowledged_at && (call.mode === 'call' || call.escalated_at)
        ? caused(call.trace_id, { colour: 'RED', reason: `not acknowledged in time: ${call.reason}` })
        : undefined,
  },
  {
    rule: 'cord',
    kind: 'call',
    yellow: 'somebody called for help or acknowledged a problem; work goes on',
    red: 'somebody stopped the line',
    first:
      'Find out who pulled the cord and why, and acknowledge, so that they know. Only resuming starts the line.',
    assess: ({ stopped, call }) => (call?.rule === 'repeated_stops' ? undefined : called(stopped, call)),
  },
  {
    rule: 'repeated_stops',
    kind: 'call',
    yellow: 'the circuit opened three times within an hour',
    red: 'the circuit opened three times within an hour, and the line was stopped',
    first:
      'The line starts again by itself each time, so the cause is still there: find what the failures have in common ' +
      '(GET /andon/history?type=...), remove it, then resume the call and say what you did.',
    assess: ({ stopped, call }) => (call?.rule === 'repeated_stops' ? called(stopped, call) : undefined),
  },
  {
    rule: 'no_worker',
    red: 'no living worker serves the type',
    first:
      'Start a worker that serves the type. Until then the fleet accepts signals, and they wait within their deadlines. ' +
      'If nobody needs the type any more, retire it: DELETE /types/:type. Resuming does not help.',
    assess: ({ served }) =>
      served ? undefined : { colour: 'RED', reason: 'no living worker serves this type' },
  },
  {
    rule: 'dependency',
    yellow:
      'handlers leave a dependency (a host, say) alone because it failed; everything else of the type runs',
    first:
      'Look at the host that the reason names. Its signals are tried again and fail when their attempts are used up: ' +
      'run them again (POST /kanban/dead/redrive) when it is well.',
    assess: ({ failing }) =>
      failing.length > 0
        ? {
            ...{ colour: 'YELLOW', about: failing.join(', ') },
            reason: `left alone because it fails: ${failing.join(', ')}; all else runs`,
          }
        : undefined,
  },
  {
    rule: 'deaf',
    yellow:
      'handlers of the type ignore their AbortSignal: their attempts are over, their slots and cards still taken',
    first:
      'Let the handler of the type end when its AbortSignal is aborted; its log lines say since when. A handler that does ' +
      'not end makes its worker finish other work and start anew.',
    assess: ({ deaf }) =>
      deaf > 0
        ? { colour: 'YELLOW', reason: `handlers that ignore their AbortSignal and still run: ${deaf}` }
        : undefined,
  },
  STANDSTILL,
  LOST,
  WAITING,
  {
    rule: 'error_rate',
    figure: true,
    yellow: `at least ${ERROR_PERCENT.yellow} % of the signals of the last 5 minutes failed (with at least ${ENOUGH} signals)`,
    red: `more than ${ERROR_PERCENT.red} % failed`,
    first: 'Open the trace of the latest failure and compare it with the dead letters of the type.',
    assess: ({ processed, failed, error_rate, failure_trace, failing, shown }) => {
      const colour =
        processed < ENOUGH ? undefined : colourOf(error_rate, ERROR_PERCENT, { rule: 'error_rate', shown });
      if (!colour) return undefined;
      return caused(failure_trace, {
        colour,
        reason: `${failed} of ${processed} failed (${Number(error_rate.toFixed(1))} %)${besides(failing)}`,
      });
    },
  },
  {
    rule: 'p99',
    figure: true,
    yellow: `the p99 of the last 5 minutes is the type's standard time or more (with at least ${ENOUGH} signals); a type without a standard time is not judged by this rule`,
    red: `the p99 is above ${P99_RED} times the type's standard time`,
    first:
      'Open the trace of the slowest signal. Find out whether the work itself is slow, or a dependency that it waits for.',
    assess: ({ processed, p99_ms, standard_ms, slowest_trace, shown }) => {
      if (standard_ms === undefined || processed < ENOUGH) return undefined;
      const limits = { yellow: standard_ms, red: standard_ms * P99_RED };
      const colour = colourOf(p99_ms, limits, { rule: 'p99', shown });
      if (!colour) return undefined;
      return caused(slowest_trace, {
        colour,
        reason: `99 % take up to ${p99_ms} ms; the standard is ${standard_ms} ms`,
      });
    },
  },
  REJECTS,
];

/** The reason of a line that breaks no rule. */
export function fineReason({ standard_ms }: LineFacts): string {
  return standard_ms === undefined
    ? 'all within limits; no standard time, so the time of the work is not judged'
    : 'all within limits';
}

export const STATION_RULES: readonly LightRule<StationFacts>[] = [
  {
    rule: 'not_accepting',
    red: 'the queue takes no signals, and there is no backup: every client is refused',
    first:
      'The reason says what NATS answers: no space left, no leader, no right to create the stream. Mend that; kanban ' +
      'tries again by itself.',
    assess: ({ refuses }) =>
      refuses === undefined ? undefined : { colour: 'RED', reason: `no signal is accepted: ${refuses}` },
  },
  STATE_LOST,
  {
    rule: 'missing',
    yellow: 'no process of jidoka is ready: the gateway goes on with the last known circuits',
    red: 'no process of another service is ready',
    first:
      'Read the log of its last process and start it again (`make up`). Accepted signals are safe on disk.',
    assess: ({ service, up, settled }) =>
      up || !settled
        ? undefined
        : { colour: service === 'jidoka' ? 'YELLOW' : 'RED', reason: 'no process is ready' },
  },
  {
    rule: 'dead_letters',
    yellow: `the store of dead letters is ${DEAD_PERCENT.yellow} % full`,
    red: `the store is ${DEAD_PERCENT.red} % full: failed signals stay in the queue, and soon no new signal gets in`,
    first:
      'Look at GET /kanban/dead. Requeue dead letters (POST /kanban/dead/redrive) or delete them (DELETE /kanban/dead).',
    assess: ({ dead_percent }) => {
      if (dead_percent < DEAD_PERCENT.yellow) return undefined;
      const colour = dead_percent >= DEAD_PERCENT.red ? 'RED' : 'YELLOW';
      return { colour, reason: `the store of dead letters is ${dead_percent} % full` };
    },
  },
  {
    rule: 'records_short',
    yellow: 'finished signals are forgotten before TPS_OUTCOMES_MAX_AGE, and so are their idempotency keys',
    first:
      'Raise TPS_OUTCOMES_MAX_BYTES (docs/reliability.md says what a signal takes), or lower TPS_OUTCOMES_MAX_AGE to what ' +
      'the clients need.',
    assess: ({ records_short }) =>
      records_short === undefined ? undefined : { colour: 'YELLOW', reason: records_short },
  },
  {
    rule: 'not_ready',
    yellow: 'a process sends heartbeats but is not ready',
    first: 'Its /health/ready says why.',
    assess: ({ up, unready }) =>
      up && unready > 0 ? { colour: 'YELLOW', reason: `${unready} not ready` } : undefined,
  },
  BLOCKED,
  {
    rule: 'replica_lost',
    yellow: 'a process fell silent within the last 10 minutes and none has replaced it; the others go on',
    first:
      'Read its log and start it again; the other processes carry its load. A process that is stopped on purpose says ' +
      'goodbye and is not counted.',
    assess: ({ up, lost }) =>
      up && lost > 0 ? { colour: 'YELLOW', reason: `${lost} lost and not replaced` } : undefined,
  },
  {
    rule: 'backup',
    yellow:
      'signals go to RabbitMQ, because kanban or NATS does not accept them; or signals wait there and cannot be moved',
    first:
      'GET /kanban shows how many signals wait; the logs of the gateway and of kanban say what NATS answers.',
    assess: ({ backup }) =>
      backup && (backup.active || backup.waiting > 0)
        ? { colour: 'YELLOW', reason: `signals go to the backup; ${backup.waiting} wait there` }
        : undefined,
  },
  {
    rule: 'cord',
    kind: 'call',
    yellow: 'somebody acknowledged a problem',
    first: 'Ask the owner whether they need help.',
    assess: ({ call }) => called(false, call),
  },
];

/** Names the likely cause in the reason of another rule, which hides that of the rule `dependency`. */
function besides(failing: readonly string[]): string {
  return failing.length > 0 ? `; ${failing.join(', ')} fails and is left alone` : '';
}

function called(stopped: boolean, call: AndonCall | undefined): Breach | undefined {
  // The rule that made an automatic call speaks for itself, and the call ends with it unless somebody takes it on.
  if (!call || (call.automatic && !call.owner)) return undefined;
  const late = call.late_owner ? `${call.by}; ${call.late_owner} has not finished in time` : call.by;
  const who = call.owner ? `${call.by}; ${call.owner} looks after it` : late;
  return caused(call.trace_id, { colour: stopped ? 'RED' : 'YELLOW', reason: `${call.reason} (${who})` });
}

function because(reason: string | undefined): string {
  return reason ?? 'no reason given';
}

function caused(trace_id: string | undefined, breach: Breach): Breach {
  return trace_id === undefined ? breach : { ...breach, trace_id };
}
