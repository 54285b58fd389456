import { randomUUID } from 'node:crypto';
import { ask, type Bus, type KvView } from '@tps/bus';
import {
  type AndonCall,
  isOpen,
  parseLine,
  type ReplyOf,
  type RequestOf,
  stopKey,
  type StopRecord,
} from '@tps/contracts';
import type { LineView } from '@tps/fleet';
import type { Logger } from '@tps/telemetry';
import { closedReason } from './advice';
import type { AndonLog } from './andon-log';
import {
  acknowledgeCall,
  openCall,
  type CallCause,
  closeCall,
  pullCord,
  resumeCall,
  retirementEvent,
  emptyStopRecord,
} from './call-transitions';
import { type Occasion, pendingEvents, withoutPublished } from './call-events';
import { causeOf, isOver, type LineState, originOf } from './causes';
import { afterDeadlines } from './deadlines';
import type { Light } from './light';
import { repeatedCountermeasure } from './recurrence';

export interface CallsDeps {
  bus: Bus;
  log: Logger;
  lines: LineView;
  changes: AndonLog;
  /** The light of a line. */
  lightOf: (line: string) => Light;
  /** Whether every process that lives was heard, so that a RED light says what it seems to say. */
  isSettled: () => boolean;
  /** TPS_ANDON_RESPOND_MS */
  respondMs: number;
  /** TPS_ANDON_CALL_AFTER_MS */
  callAfterMs: number;
}

const RESUME_LIMIT_MS = 3_000;
const CATCH_UP_MS = 500;

/**
 * The calls of all lines: causes, owners and countermeasures. The bucket has one record for each line, written by
 * compare-and-set, so that replicas agree. Its events go from there into the history.
 */
export class Calls {
  private readonly stops: KvView<StopRecord>;

  constructor(private readonly deps: CallsDeps) {
    this.stops = deps.lines.stops;
  }

  of(line: string): AndonCall | undefined {
    return this.stops.get(keyOf(line))?.call;
  }

  private recordOf(line: string): StopRecord {
    return this.stops.get(keyOf(line)) ?? emptyStopRecord(line);
  }

  /** Open calls, oldest first. */
  open(): AndonCall[] {
    const calls = this.stops.values().flatMap(({ call }) => call ?? []);
    return calls.sort((a, b) => Date.parse(a.opened_at) - Date.parse(b.opened_at));
  }

  /** The id under which people acknowledge or resume a line, if there is anything to answer. */
  idOf(line: string): string | undefined {
    const circuit = this.deps.lines.circuit(line);
    const stopped = circuit?.state === 'open' ? circuit.andon_id : undefined;
    return this.of(line)?.id ?? stopped ?? this.deps.changes.idOf(line);
  }

  /** Whether the record of the line has events that the history does not have yet. */
  hasPending(line: string): boolean {
    const record = this.stops.get(keyOf(line));
    return record !== undefined && pendingEvents(record).length > 0;
  }

  async pull(request: RequestOf<'pull'>): Promise<ReplyOf<'pull'>> {
    const { signal_type: line, mode, reason, by, intake, trace_id } = request;
    const { respondMs, lines } = this.deps;
    const circuit = lines.circuit(line);
    const known = this.idOf(line);
    const cause: CallCause = {
      ...{ id: known && !this.isResolved(known) ? known : randomUUID(), rule: 'cord', reason, by, mode },
      ...(intake ? { intake } : {}),
      respondMs: request.respond_within_ms ?? respondMs,
      ...(circuit && isOpen(circuit) ? originOf(circuit) : {}),
      ...(trace_id ? { trace_id } : {}),
    };
    const spareId = randomUUID();
    const record = await this.change(line, (known, occasion) => pullCord(known, cause, spareId, occasion));
    return replyOf(record?.call);
  }

  async acknowledge(request: RequestOf<'acknowledge'>): Promise<ReplyOf<'pull'>> {
    const line = await this.findLine(request.id);
    if (!line) return this.unknown(request.id);
    const record = await this.change(line, (known, occasion) => {
      return acknowledgeCall(this.withCall(known, request.id, occasion), request, occasion);
    });
    return record ? replyOf(record.call) : this.unknown(request.id);
  }

  /** Closes the circuit first: as long as that fails, the line is still stopped and the call open. */
  async resume(request: RequestOf<'resume'>): Promise<ReplyOf<'pull'>> {
    const line = await this.findLine(request.id);
    if (!line) return this.unknown(request.id);
    const occasion: Occasion = { at: new Date(), light: this.deps.lightOf(line).colour };
    const { call: about } = this.withCall(this.recordOf(line), request.id, occasion);
    const repeated = repeatedCountermeasure(about, request);
    if (repeated && !request.force) {
      const reason =
        `${repeated.owner} did the same at ${repeated.at}, and it did not hold: ${repeated.text}. ` +
        'Say what else was done, or send force: true';
      return { refused: 'same_countermeasure', reason };
    }
    if (!(await this.resumeCircuit(line, request))) {
      const reason = 'jidoka does not answer: the circuit of this line stays open';
      return { refused: 'unavailable', reason };
    }
    const forced = repeated !== null;
    let call: AndonCall | undefined;
    const record = await this.change(line, (known, occasion) => {
      const open = this.withCall(known, request.id, occasion);
      const { owner, countermeasure } = request;
      const resumed_at = occasion.at.toISOString();
      call = open.call && { ...open.call, owner, countermeasure, resumed_at, ...(forced ? { forced } : {}) };
      return resumeCall(open, request, { ...occasion, forced });
    });
    return record ? replyOf(call) : this.unknown(request.id);
  }

  /**
   * Ends the history of a retired type with the event that says who retired it. That closes its open call, and the record
   * of the line goes. Doing it again adds nothing.
   */
  async retire({ signal_type: line, retirement }: RequestOf<'retireLine'>): Promise<void> {
    const { changes, lines, lightOf } = this.deps;
    await Promise.all([lines.stops, changes].map((each) => each.caughtUp(CATCH_UP_MS)));
    await this.publish(line);
    const last = changes.last(line);
    if (last?.event !== 'retired' || last.at !== retirement.at) {
      const open = { call: this.of(line), id: this.idOf(line) };
      await changes.recordAct(retirementEvent(line, retirement, { ...open, was: lightOf(line).colour }));
    }
    await this.stops.remove(keyOf(line));
  }

  /** Does what the clock, the circuit and the light ask for: escalates, opens or closes the call of the line. */
  async checkLine(line: string): Promise<void> {
    const known = this.stops.get(keyOf(line));
    const occasion: Occasion = { at: new Date(), light: this.deps.lightOf(line).colour };
    if (known && afterDeadlines(known, occasion)) await this.change(line, afterDeadlines);
    const spareId = randomUUID();
    const cause = (record: StopRecord | undefined): CallCause | null => this.causeOf(line, record, spareId);
    if (cause(known)) {
      await this.change(line, (record, occasion) => {
        const due = cause(record);
        return due && openCall(record, due, occasion);
      });
    }
    if (!this.deps.isSettled() || !isOver(this.stateOf(line, known))) return;
    await this.change(line, (record, occasion) => {
      return isOver(this.stateOf(line, record)) ? closeCall(record, occasion) : null;
    });
  }

  /** Checks every line and station, and publishes the events that another replica left in a record. */
  async sweep(): Promise<void> {
    const { lines, changes } = this.deps;
    const records = this.stops.values();
    const names = [...lines.known(), ...records.map(({ line }) => line), ...changes.abnormal()];
    for (const line of new Set(names)) await this.checkLine(line);
    for (const record of records) if (pendingEvents(record).length > 0) await this.publish(record.line);
  }

  private causeOf(line: string, record: StopRecord | undefined, spareId: string): CallCause | null {
    const { respondMs, callAfterMs, isSettled } = this.deps;
    const afterMs = isSettled() ? callAfterMs : 0;
    const settings = { nowMs: Date.now(), respondMs, callAfterMs: afterMs, spareId };
    return causeOf(this.stateOf(line, record), settings);
  }

  private stateOf(line: string, record: StopRecord | undefined): LineState {
    const { lines, changes, lightOf } = this.deps;
    const recordedColour = changes.last(line)?.colour ?? 'GREEN';
    return {
      record,
      circuit: lines.circuit(line),
      light: lightOf(line),
      id: this.idOf(line),
      recordedColour,
    };
  }

  private async change(
    line: string,
    apply: (record: StopRecord, occasion: Occasion) => StopRecord | null,
  ): Promise<StopRecord | null> {
    const record = await this.stops.update(keyOf(line), (known) => {
      return apply(known ?? emptyStopRecord(line), {
        at: new Date(),
        light: this.deps.lightOf(line).colour,
      });
    });
    if (!record) return null;
    await this.publish(line).catch((error: unknown) => {
      this.deps.log.warn('not in the history yet', { line, error });
    });
    return record;
  }

  /** Moves the events of the record into the history. */
  private async publish(line: string): Promise<void> {
    const record = this.stops.get(keyOf(line));
    const events = record ? pendingEvents(record) : [];
    for (const event of events) await this.deps.changes.recordAct(event);
    if (events.length > 0)
      await this.stops.update(keyOf(line), (known) => (known ? withoutPublished(known, events) : null));
  }

  /** Acknowledging or resuming a light or circuit on which nobody called makes it a call. */
  private withCall(record: StopRecord, id: string, occasion: Occasion): StopRecord {
    if (record.call || record.resolved.some((call) => call.id === id)) return record;
    const { rule, reason, trace_id } = this.deps.lightOf(record.line);
    const circuit = this.deps.lines.circuit(record.line);
    const origin = circuit && isOpen(circuit) ? originOf(circuit) : trace_id ? { trace_id } : {};
    const { respondMs } = this.deps;
    const fixed = { by: 'andon', mode: 'call', automatic: true, respondMs } as const;
    return openCall(record, { id, rule, reason, ...fixed, ...origin }, occasion);
  }

  private async resumeCircuit(
    line: string,
    { owner, countermeasure }: RequestOf<'resume'>,
  ): Promise<boolean> {
    const { bus, lines, log } = this.deps;
    const isType = parseLine(line).kind === 'type';
    const circuit = isType ? await lines.circuits.read(line) : undefined;
    if (!circuit || !isOpen(circuit.value)) return true;
    const request = { signal_type: line, reason: `resumed by ${owner}: ${countermeasure}` };
    try {
      const options = { timeoutMs: RESUME_LIMIT_MS };
      return (await ask(bus, 'resumeCircuit', request, options)).resumed;
    } catch (error) {
      log.warn('circuit not resumed', { line, error });
      return false;
    }
  }

  /** Catches up before it says that an id is unknown: another replica may have written it just now. */
  private async findLine(id: string): Promise<string | undefined> {
    const line = this.lineOf(id);
    if (line || this.isResolved(id)) return line;
    const { lines, changes } = this.deps;
    await Promise.all([lines.stops, lines.circuits, changes].map((each) => each.caughtUp(CATCH_UP_MS)));
    return this.lineOf(id);
  }

  private lineOf(id: string): string | undefined {
    const record = this.stops.values().find(({ call }) => call?.id === id);
    if (record) return record.line;
    if (this.isResolved(id)) return undefined;
    const circuit = this.deps.lines.circuits
      .values()
      .find(({ state, andon_id }) => state === 'open' && andon_id === id);
    return circuit?.signal_type ?? this.deps.changes.abnormal().find((line) => this.idOf(line) === id);
  }

  private unknown(id: string): ReplyOf<'pull'> {
    const line = this.stops.values().find(({ resolved }) => resolved.some((call) => call.id === id))?.line;
    if (line !== undefined) return { refused: 'closed', reason: closedReason(line, this.deps.lightOf(line)) };
    if (this.deps.changes.knows(id)) return { refused: 'closed', reason: 'this call is closed already' };
    return { refused: 'not_found', reason: `there is no call ${id}` };
  }

  private isResolved(id: string): boolean {
    return this.stops.values().some(({ resolved }) => resolved.some((call) => call.id === id));
  }
}

function replyOf(call: AndonCall | undefined): ReplyOf<'pull'> {
  return call ? { call } : { refused: 'not_found', reason: 'there is no such call' };
}

/** The key of a line's record, by the name of the line. */
function keyOf(line: string): string {
  return stopKey(parseLine(line));
}
