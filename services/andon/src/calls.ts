import { randomUUID } from 'node:crypto';
import { ask, type Bus, type KvView } from '@tps/bus';
import {
  type AndonCall,
  type CircuitRecord,
  type Colour,
  type Line,
  parseLine,
  type ReplyOf,
  type RequestOf,
  stopKey,
  type StopRecord,
} from '@tps/contracts';
import type { LineView } from '@tps/fleet';
import type { Logger } from '@tps/telemetry';
import type { AndonLog } from './andon-log';
import {
  acknowledged,
  called,
  type Cause,
  escalated,
  type Moment,
  pulled,
  resumed,
  retirementEvent,
  untouched,
} from './call';
import type { Rule } from './judgement';
import type { Light } from './lights';
import { LINE_RULES, STATION_RULES } from './rules';

export interface CallParts {
  bus: Bus;
  log: Logger;
  lines: LineView;
  changes: AndonLog;
  /** What the light of a line shows. */
  lightOf: (line: string) => Light;
  /** TPS_ANDON_RESPOND_MS */
  respondMs: number;
}

const RESUME_LIMIT_MS = 3_000;
const CATCH_UP_MS = 500;
const HOUR_MS = 3_600_000;
/** So many openings within an hour call for a person. */
const REPEATED = 3;

/**
 * The calls of all lines: who has the line stopped and why, who looks after it, what was done about it. The record of a
 * line is in the bucket, written by compare-and-set, so that replicas agree; what happens to it goes from there into
 * the history.
 */
export class Calls {
  private readonly stops: KvView<StopRecord>;

  constructor(private readonly parts: CallParts) {
    this.stops = parts.lines.stops;
  }

  of(line: string): AndonCall | undefined {
    return this.stops.get(keyOf(line))?.call;
  }

  /** Open calls, oldest first. */
  open(): AndonCall[] {
    const calls = this.stops.values().flatMap(({ call }) => call ?? []);
    return calls.sort((a, b) => Date.parse(a.opened_at) - Date.parse(b.opened_at));
  }

  /** What to acknowledge or resume on a line, if anything. */
  idOf(line: string): string | undefined {
    const circuit = this.parts.lines.circuit(line);
    const stopped = circuit?.state === 'open' ? circuit.andon_id : undefined;
    return this.of(line)?.id ?? stopped ?? this.parts.changes.idOf(line);
  }

  /** Something was done to the line that the history does not have yet. */
  isUntold(line: string): boolean {
    return (this.stops.get(keyOf(line))?.unlogged.length ?? 0) > 0;
  }

  async pull(request: RequestOf<'pull'>): Promise<ReplyOf<'pull'>> {
    const { signal_type: line, mode, reason, by, intake } = request;
    const { respondMs, lines } = this.parts;
    const circuit = lines.circuit(line);
    const known = this.idOf(line);
    const cause: Cause = {
      ...{ id: known && !this.isResolved(known) ? known : randomUUID(), rule: 'cord', reason, by, mode },
      ...(intake ? { intake } : {}),
      respondMs: request.respond_within_ms ?? respondMs,
      ...(circuit?.state === 'open' ? originOf(circuit) : {}),
    };
    const spareId = randomUUID();
    const record = await this.change(line, (known, moment) => pulled(known, cause, spareId, moment));
    return replyOf(record?.call);
  }

  async acknowledge(request: RequestOf<'acknowledge'>): Promise<ReplyOf<'pull'>> {
    const line = await this.findLine(request.id);
    if (!line) return this.unknown(request.id);
    const record = await this.change(line, (known, moment) => {
      return acknowledged(this.withCall(known, request.id, moment), request, moment);
    });
    return record ? replyOf(record.call) : this.unknown(request.id);
  }

  /** The circuit first: as long as that fails, the line is still stopped and the call open. */
  async resume(request: RequestOf<'resume'>): Promise<ReplyOf<'pull'>> {
    const line = await this.findLine(request.id);
    if (!line) return this.unknown(request.id);
    if (!(await this.resumeCircuit(line, request))) {
      const reason = 'jidoka does not answer: the circuit of this line stays open';
      return { refused: 'unavailable', reason };
    }
    let call: AndonCall | undefined;
    const record = await this.change(line, (known, moment) => {
      const open = this.withCall(known, request.id, moment);
      const { owner, countermeasure } = request;
      call = open.call && { ...open.call, owner, countermeasure, resumed_at: moment.at.toISOString() };
      return resumed(open, request, moment);
    });
    return record ? replyOf(call) : this.unknown(request.id);
  }

  /**
   * The type of a line was retired: its history ends with the event that says who did it, which closes whatever call is
   * open, and its record goes. Done again, it adds nothing.
   */
  async retire({ signal_type: line, retirement }: RequestOf<'retireLine'>): Promise<void> {
    const { changes, lines, lightOf } = this.parts;
    await Promise.all([lines.stops, changes].map((each) => each.caughtUp(CATCH_UP_MS)));
    await this.tell(line);
    const last = changes.last(line);
    if (last?.event !== 'retired' || last.at !== retirement.at) {
      const open = { call: this.of(line), id: this.idOf(line) };
      await changes.act(retirementEvent(line, retirement, { ...open, was: lightOf(line).colour }));
    }
    await this.stops.remove(keyOf(line));
  }

  /** What the circuit of a line calls for, and what nobody answered. */
  async look(line: string): Promise<void> {
    const circuit = this.parts.lines.circuit(line);
    const known = this.stops.get(keyOf(line));
    const now = new Date();
    if (known && escalated(known, { at: now, light: 'RED' })) {
      await this.change(line, (record, moment) => escalated(record, moment));
    }
    const due = (record: StopRecord | undefined): Cause | null =>
      circuit ? causeOf(circuit, record, { nowMs: now.getTime(), respondMs: this.parts.respondMs }) : null;
    if (!due(known)) return;
    await this.change(line, (record, moment) => {
      const cause = due(record);
      return cause && called(record, cause, moment);
    });
  }

  /** Looks at every line, and tells what another replica left untold. */
  async sweep(): Promise<void> {
    for (const line of this.parts.lines.known()) await this.look(line);
    for (const { line, unlogged } of this.stops.values()) if (unlogged.length > 0) await this.tell(line);
  }

  private async change(
    line: string,
    apply: (record: StopRecord, moment: Moment) => StopRecord | null,
  ): Promise<StopRecord | null> {
    const record = await this.stops.update(keyOf(line), (known) => {
      const light: Colour = this.parts.lightOf(line).colour;
      return apply(known ?? untouched(line), { at: new Date(), light });
    });
    if (!record) return null;
    const { call } = record;
    this.parts.log.info('call', { line, id: call?.id, mode: call?.mode, owner: call?.owner });
    await this.tell(line).catch((error: unknown) => {
      this.parts.log.warn('not in the history yet', { line, error });
    });
    return record;
  }

  /** Moves what happened from the record into the history. */
  private async tell(line: string): Promise<void> {
    const untold = this.stops.get(keyOf(line))?.unlogged ?? [];
    for (const event of untold) await this.parts.changes.act(event);
    const told = new Set(untold.map(({ id, event, at }) => `${id}:${event}:${at}`));
    await this.stops.update(keyOf(line), (record) => {
      if (!record) return null;
      const unlogged = record.unlogged.filter(({ id, event, at }) => !told.has(`${id}:${event}:${at}`));
      return unlogged.length === record.unlogged.length ? null : { ...record, unlogged };
    });
  }

  /** Whoever acknowledges or resumes a light or circuit that nobody called for, makes it a call. */
  private withCall(record: StopRecord, id: string, moment: Moment): StopRecord {
    if (record.call || record.resolved.some((call) => call.id === id)) return record;
    const { rule, reason, trace_id } = this.parts.lightOf(record.line);
    const circuit = this.parts.lines.circuit(record.line);
    const origin = circuit?.state === 'open' ? originOf(circuit) : trace_id ? { trace_id } : {};
    return called(record, { id, rule, reason, by: 'andon', mode: 'call', respondMs: 0, ...origin }, moment);
  }

  private async resumeCircuit(
    line: string,
    { owner, countermeasure }: RequestOf<'resume'>,
  ): Promise<boolean> {
    const { bus, lines, log } = this.parts;
    const isType = parseLine(line).kind === 'type';
    const circuit = isType ? await lines.circuits.read(line) : undefined;
    if (circuit?.value.state !== 'open') return true;
    const request = { signal_type: line, reason: `resumed by ${owner}: ${countermeasure}` };
    try {
      const options = { timeoutMs: RESUME_LIMIT_MS };
      return (await ask(bus, 'resumeCircuit', request, options)).resumed;
    } catch (error) {
      log.warn('circuit not resumed', { line, error });
      return false;
    }
  }

  /** Another replica may have written it just now: an id is unknown only to one that knows what all have written. */
  private async findLine(id: string): Promise<string | undefined> {
    const line = this.lineOf(id);
    if (line || this.isResolved(id)) return line;
    const { lines, changes } = this.parts;
    await Promise.all([lines.stops, lines.circuits, changes].map((each) => each.caughtUp(CATCH_UP_MS)));
    return this.lineOf(id);
  }

  private lineOf(id: string): string | undefined {
    const record = this.stops.values().find(({ call }) => call?.id === id);
    if (record) return record.line;
    if (this.isResolved(id)) return undefined;
    const circuit = this.parts.lines.circuits
      .values()
      .find(({ state, andon_id }) => state === 'open' && andon_id === id);
    return circuit?.signal_type ?? this.parts.changes.abnormal().find((line) => this.idOf(line) === id);
  }

  private unknown(id: string): ReplyOf<'pull'> {
    const line = this.stops.values().find(({ resolved }) => resolved.some((call) => call.id === id))?.line;
    if (line !== undefined) return { refused: 'closed', reason: this.closedReason(line) };
    return { refused: 'not_found', reason: `there is no call ${id}` };
  }

  /** Resuming does not mend what a rule finds: as long as it finds it, say what would. */
  private closedReason(line: string): string {
    const closed = 'this call was resumed already';
    const { colour, rule, reason } = this.parts.lightOf(line);
    if (colour === 'GREEN') return closed;
    return `${closed}, and ${line} is still ${colour} (${rule}: ${reason}). ${firstOf(rule, parseLine(line))}`.trim();
  }

  private isResolved(id: string): boolean {
    return this.stops.values().some(({ resolved }) => resolved.some((call) => call.id === id));
  }
}

/** What a stopped circuit calls a person for: a defect at once, a timed stop when it comes again and again. */
function causeOf(
  circuit: CircuitRecord,
  record: StopRecord | undefined,
  { nowMs, respondMs }: { nowMs: number; respondMs: number },
): Cause | null {
  const { state, andon_id: id, latch, reason, stops } = circuit;
  if (state !== 'open' || !id || record?.call || record?.resolved.some((call) => call.id === id)) return null;
  const origin = originOf(circuit);
  if (latch) return { id, rule: 'defect', reason, by: 'jidoka', mode: 'stop', respondMs, ...origin };
  const lastResumed = record?.resolved.at(-1)?.resumed_at;
  const fromMs = Math.max(nowMs - HOUR_MS, lastResumed ? Date.parse(lastResumed) : 0);
  const openings = stops.filter(([from]) => Date.parse(from) > fromMs).length;
  if (openings < REPEATED) return null;
  const repeated = `stopped ${openings} times within an hour, last: ${reason}`;
  return {
    ...{ id, rule: 'repeated_stops', reason: repeated, by: 'jidoka', mode: 'call', respondMs },
    ...origin,
  };
}

function originOf({ latch, fingerprint, trace_id }: CircuitRecord): Pick<Cause, 'fingerprint' | 'trace_id'> {
  const mark = latch?.fingerprint ?? fingerprint;
  return { ...(mark ? { fingerprint: mark } : {}), ...(trace_id ? { trace_id } : {}) };
}

function replyOf(call: AndonCall | undefined): ReplyOf<'pull'> {
  return call ? { call } : { refused: 'not_found', reason: 'there is no such call' };
}

/** The key of a line's record, by the name of the line. */
function keyOf(line: string): string {
  return stopKey(parseLine(line));
}

/** What to do first about a light that this rule gave. */
function firstOf(rule: string, { kind, name }: Line): string {
  const rules: readonly Pick<Rule<never>, 'rule' | 'first'>[] =
    kind === 'station' ? STATION_RULES : LINE_RULES;
  return rules.find((each) => each.rule === rule)?.first.replace(':type', name) ?? '';
}
