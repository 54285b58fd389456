import { type AndonCall, type CircuitState, type Colour, COLOURS, type ServiceName } from '@tps/contracts';
import type { LineFigures } from './line-window';

/** What the rules look at: one line at one moment. */
export interface LineFacts extends LineFigures {
  circuit: CircuitState;
  /** Only a person starts the circuit again. */
  latched: boolean;
  circuit_reason?: string;
  circuit_trace?: string;
  /** The open call on the line, and whether it stands still because of it. */
  call?: AndonCall;
  stopped: boolean;
  /** What one signal should take, where the type says so. */
  standard_ms?: number;
  /** Some living worker serves the type. */
  served: boolean;
}

/** A colour and what gave it. */
export interface Verdict {
  colour: Colour;
  rule: string;
  reason: string;
  trace_id?: string;
}

type Finding = Omit<Verdict, 'rule'>;

/** A written rule: what gives which colour, and what to do first. The runbook is printed from it. */
export interface Rule<F> {
  rule: string;
  yellow?: string;
  red?: string;
  first: string;
  judge: (facts: F) => Finding | undefined;
}

/** A rate or percentile of fewer signals says little. */
const ENOUGH = 20;
const ERROR_PERCENT = { yellow: 1, red: 5 };
const DEAD_PERCENT = { yellow: 80, red: 98 };
const P99_MS = { yellow: 200, red: 500 };

export function rank(colour: Colour): number {
  return COLOURS.indexOf(colour);
}

export function worst(colours: Iterable<Colour>): Colour {
  let worst: Colour = 'GREEN';
  for (const colour of colours) if (rank(colour) > rank(worst)) worst = colour;
  return worst;
}

/** In the order in which they are named when several give the same colour. */
export const LINE_RULES: readonly Rule<LineFacts>[] = [
  {
    rule: 'defect',
    red: 'the same defect in TPS_CB_THRESHOLD different signals within 5 minutes: the line is latched',
    first:
      'Open the trace of the call. The code, not its surroundings, is at fault: mend or roll back the worker, then ' +
      'resume with what was done. No trial starts this line.',
    judge: ({ latched, circuit_reason, circuit_trace }) =>
      latched ? caused(circuit_trace, { colour: 'RED', reason: because(circuit_reason) }) : undefined,
  },
  {
    rule: 'circuit',
    yellow: 'the circuit is half-open: one trial at a time',
    red: 'the circuit is open after failures, slow attempts or a failed trial',
    first:
      'Look at the dependency that the trace names. Nothing is lost: queued signals are held with their attempts and ' +
      'deadlines. It starts again by itself after a good trial; resume the call to start it now.',
    judge: ({ circuit, circuit_reason, circuit_trace }) => {
      if (circuit === 'Closed') return undefined;
      const colour = circuit === 'Open' ? 'RED' : 'YELLOW';
      return caused(circuit_trace, { colour, reason: `circuit ${circuit}: ${because(circuit_reason)}` });
    },
  },
  {
    rule: 'unanswered',
    red: 'nobody acknowledged a call in time: the line stands still',
    first: 'Acknowledge the call, then treat it as the call says. The line runs again when it is resumed.',
    judge: ({ stopped, call }) =>
      stopped && call?.respond_by && !call.acknowledged_at
        ? caused(call.trace_id, { colour: 'RED', reason: `not acknowledged in time: ${call.reason}` })
        : undefined,
  },
  {
    rule: 'cord',
    yellow: 'somebody called, or has acknowledged the abnormality; work goes on',
    red: 'somebody stopped the line',
    first:
      'Go and see who pulled the cord and why; acknowledge, so that they know. Only resuming starts the line.',
    judge: ({ stopped, call }) => (call?.rule === 'repeated_stops' ? undefined : called(stopped, call)),
  },
  {
    rule: 'repeated_stops',
    yellow: 'the circuit opened three times within an hour',
    red: 'the same, and the line was stopped',
    first:
      'It starts again by itself each time, so the cause stays: find what the failures have in common ' +
      '(GET /andon/history?type=...), remove it, then resume with what was done.',
    judge: ({ stopped, call }) => (call?.rule === 'repeated_stops' ? called(stopped, call) : undefined),
  },
  {
    rule: 'no_worker',
    red: 'no living worker serves the type',
    first: 'Start a worker that serves it. Signals are accepted and wait meanwhile, within their deadlines.',
    judge: ({ served }) =>
      served ? undefined : { colour: 'RED', reason: 'no living worker serves this type' },
  },
  {
    rule: 'error_rate',
    yellow: `${ERROR_PERCENT.yellow} % of the signals of the last 5 minutes failed, of at least ${ENOUGH}`,
    red: `more than ${ERROR_PERCENT.red} % failed`,
    first: 'Open the trace of the latest failure and compare it with the dead letters of the type.',
    judge: ({ processed, failed, error_rate, failure_trace }) => {
      if (processed < ENOUGH || error_rate < ERROR_PERCENT.yellow) return undefined;
      const colour = error_rate > ERROR_PERCENT.red ? 'RED' : 'YELLOW';
      return caused(failure_trace, {
        colour,
        reason: `${failed} of ${processed} failed (${Number(error_rate.toFixed(1))} %)`,
      });
    },
  },
  {
    rule: 'p99',
    yellow: `99 % take ${P99_MS.yellow} ms or more (or the type's standard time), of at least ${ENOUGH} in 5 minutes`,
    red: `more than ${P99_MS.red} ms (or 2.5 times the type's standard time)`,
    first: 'Open the trace of the slowest signal: is it the work, or what the work waits for?',
    judge: ({ processed, p99_ms, standard_ms, slowest_trace }) => {
      const yellow = standard_ms ?? P99_MS.yellow;
      const red = (yellow * P99_MS.red) / P99_MS.yellow;
      if (processed < ENOUGH || p99_ms < yellow) return undefined;
      const colour = p99_ms > red ? 'RED' : 'YELLOW';
      return caused(slowest_trace, {
        colour,
        reason: `99 % take up to ${p99_ms} ms; the standard is ${yellow} ms`,
      });
    },
  },
];

/** What the rules look at: one service at one moment. */
export interface StationFacts {
  service: ServiceName;
  up: boolean;
  /** Ready processes. */
  replicas: number;
  /** Long enough here to have heard from everyone who lives. */
  settled: boolean;
  /** Processes that beat and are not ready. */
  unready: number;
  /** Processes that fell silent without a farewell, and in whose place none has come. */
  lost: number;
  /** kanban: how full the stream of dead letters is, in percent. */
  dead_percent: number;
  /** Of kanban: signals go to the backup, or wait there although the queue could take them. */
  backup?: { active: boolean; waiting: number };
  call?: AndonCall;
}

export const STATION_RULES: readonly Rule<StationFacts>[] = [
  {
    rule: 'missing',
    yellow: 'nobody is ready, and it is jidoka: the last known circuits count, nothing else stops',
    red: 'no process of the service is ready',
    first: 'Read the log of its last process; start it again (`make up`). What was accepted is kept on disk.',
    judge: ({ service, up, settled }) =>
      up || !settled
        ? undefined
        : { colour: service === 'jidoka' ? 'YELLOW' : 'RED', reason: 'nobody is ready' },
  },
  {
    rule: 'not_heard',
    yellow: 'andon has just started and has not heard from the service',
    first: 'Wait a few seconds.',
    judge: ({ up, settled }) =>
      up || settled ? undefined : { colour: 'YELLOW', reason: 'not heard from yet' },
  },
  {
    rule: 'dead_letters',
    yellow: `the store of dead letters is ${DEAD_PERCENT.yellow} % full`,
    red: `it is ${DEAD_PERCENT.red} % full: workers cannot let go of what failed, and soon stand still`,
    first:
      'Look at GET /kanban/dead; run again or delete what is done with (POST /kanban/dead/redrive, DELETE).',
    judge: ({ dead_percent }) => {
      if (dead_percent < DEAD_PERCENT.yellow) return undefined;
      const colour = dead_percent >= DEAD_PERCENT.red ? 'RED' : 'YELLOW';
      return { colour, reason: `the store of dead letters is ${dead_percent} % full` };
    },
  },
  {
    rule: 'not_ready',
    yellow: 'a process beats but is not ready',
    first: 'Ask its /health/ready, which says why.',
    judge: ({ up, unready }) =>
      up && unready > 0 ? { colour: 'YELLOW', reason: `${unready} not ready` } : undefined,
  },
  {
    rule: 'replica_lost',
    yellow: 'a process fell silent and none has come in its place for up to 10 minutes; the others go on',
    first:
      'Read its log and start it again; who is left carries its load. One that is stopped says so, and is not missed.',
    judge: ({ up, lost }) =>
      up && lost > 0 ? { colour: 'YELLOW', reason: `${lost} lost, nobody in its place` } : undefined,
  },
  {
    rule: 'backup',
    yellow:
      'signals go to RabbitMQ, because kanban or NATS did not take them; or some wait there and cannot move',
    first: 'GET /kanban shows what waits; the logs of the gateway and of kanban say what NATS answers.',
    judge: ({ backup }) =>
      backup && (backup.active || backup.waiting > 0)
        ? { colour: 'YELLOW', reason: `signals go to the backup; ${backup.waiting} wait there` }
        : undefined,
  },
  {
    rule: 'cord',
    yellow: 'somebody has acknowledged the abnormality',
    first: 'See who, and whether they need help.',
    judge: ({ call }) => called(false, call),
  },
];

/** The worst that any rule finds. */
export function judge<F>(rules: readonly Rule<F>[], facts: F, fine: string): Verdict {
  let verdict: Verdict = { colour: 'GREEN', rule: 'within_limits', reason: fine };
  for (const { rule, judge } of rules) {
    const finding = judge(facts);
    if (finding && rank(finding.colour) > rank(verdict.colour)) verdict = { rule, ...finding };
  }
  return verdict;
}

function called(stopped: boolean, call: AndonCall | undefined): Finding | undefined {
  if (!call) return undefined;
  const who = call.owner ? `${call.by}; ${call.owner} looks after it` : call.by;
  return caused(call.trace_id, { colour: stopped ? 'RED' : 'YELLOW', reason: `${call.reason} (${who})` });
}

function because(reason: string | undefined): string {
  return reason ?? 'no reason given';
}

function caused(trace_id: string | undefined, finding: Finding): Finding {
  return trace_id === undefined ? finding : { ...finding, trace_id };
}
