import {
  ERROR_CLASSES,
  type ErrorClass,
  FINAL_STATUSES,
  type FinalStatus,
  type Outcome,
} from '@tps/contracts';

/** Where the log has one outcome: the sequence of its message, and its place in the message's array. */
export interface Place {
  seq: number;
  index: number;
}

/** The place of an outcome, with what a look-up must know of it before it is read. */
export interface Position extends Place {
  run: number;
  final: boolean;
}

/** A final outcome, with what a list filters by. */
export interface Entry extends Place {
  id: string;
  run: number;
  type: string;
  status: FinalStatus;
  errorClass: ErrorClass | undefined;
  timeMs: number;
}

/** One outcome of the log. */
export interface PlacedOutcome extends Place {
  outcome: Pick<Outcome, 'signal_id' | 'run' | 'signal_type' | 'status' | 'final'> & {
    error_class?: ErrorClass | undefined;
  };
  timeMs: number;
}

export function positionOf({ seq, index, outcome }: PlacedOutcome): Position {
  return { seq, index, run: outcome.run, final: outcome.final };
}

export function entryOf({ seq, index, timeMs, outcome }: PlacedOutcome): Entry {
  const { signal_id: id, run, signal_type: type, status, error_class: errorClass } = outcome;
  return { seq, index, id, run, type, status: status as FinalStatus, errorClass, timeMs };
}

/** More outcomes than fit into a message of the broker's size limit. */
const MAX_INDEX = 16_384;

/** A place as one number that grows with the log. */
export function placeNumber({ seq, index }: Place): number {
  return seq * MAX_INDEX + index;
}

export function placeAt(number: number): Place {
  return { seq: Math.floor(number / MAX_INDEX), index: number % MAX_INDEX };
}

/** Each kind of key has a first byte of its own, in the order in which LevelDB sorts them. */
const KIND = { applied: 0, figures: 1, place: 2, uuid: 3, text: 4 } as const;
const SEQ_BYTES = 6;
const PLACE_BYTES = SEQ_BYTES + 2;
const POSITION_BYTES = PLACE_BYTES + 2;
const MAX_RUN = 0xff_ff;
const FINAL = 0x80_00;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export const APPLIED_KEY = Buffer.of(KIND.applied);
export const FIGURES_KEY = Buffer.of(KIND.figures);

/** Writes one entry of the index. */
export interface PutOperation {
  type: 'put';
  key: Buffer;
  value: Buffer;
}

export function putJson(key: Buffer, value: unknown): PutOperation {
  return { type: 'put', key, value: Buffer.from(JSON.stringify(value)) };
}

export function placeKey({ seq, index }: Place): Buffer {
  const key = Buffer.alloc(1 + PLACE_BYTES, KIND.place);
  key.writeUIntBE(seq, 1, SEQ_BYTES);
  key.writeUInt16BE(index, 1 + SEQ_BYTES);
  return key;
}

/** A UUID takes 16 bytes instead of 36; any other id is kept as text. */
export function idKey(id: string): Buffer {
  if (!UUID.test(id)) return Buffer.concat([Buffer.of(KIND.text), Buffer.from(id)]);
  return Buffer.from(`0${KIND.uuid}${id.replaceAll('-', '')}`, 'hex');
}

export function encodePositions(positions: readonly Position[]): Buffer {
  const value = Buffer.allocUnsafe(positions.length * POSITION_BYTES);
  positions.forEach(({ seq, index, run, final }, i) => {
    let at = i * POSITION_BYTES;
    at = value.writeUIntBE(seq, at, SEQ_BYTES);
    at = value.writeUInt16BE(index + (final ? FINAL : 0), at);
    value.writeUInt16BE(Math.min(run, MAX_RUN), at);
  });
  return value;
}

export function decodePositions(value: Buffer): Position[] {
  return Array.from({ length: value.length / POSITION_BYTES }, (_, i) => {
    const at = i * POSITION_BYTES;
    const packed = value.readUInt16BE(at + SEQ_BYTES);
    return {
      seq: value.readUIntBE(at, SEQ_BYTES),
      index: packed % FINAL,
      run: value.readUInt16BE(at + PLACE_BYTES),
      final: packed >= FINAL,
    };
  });
}

/**
 * The value of a final outcome: time, status, class, run, type and id, in this order.
 *
 * @param key the key of its id, which a writer has already
 */
export function encodeEntry({ timeMs, status, errorClass, run, type }: Entry, key: Buffer): Buffer {
  const head = Buffer.alloc(11);
  let at = head.writeUIntBE(Math.max(0, Math.floor(timeMs)), 0, 6);
  at = head.writeUInt8(FINAL_STATUSES.indexOf(status), at);
  at = head.writeUInt8(errorClass ? ERROR_CLASSES.indexOf(errorClass) : ERROR_CLASSES.length, at);
  at = head.writeUInt16BE(Math.min(run, MAX_RUN), at);
  head.writeUInt8(type.length, at);
  return Buffer.concat([head, Buffer.from(type), key]);
}

export function decodeEntry(key: Buffer, value: Buffer): Entry {
  const typeEnd = 11 + value.readUInt8(10);
  return {
    seq: key.readUIntBE(1, SEQ_BYTES),
    index: key.readUInt16BE(1 + SEQ_BYTES),
    timeMs: value.readUIntBE(0, 6),
    status: FINAL_STATUSES[value.readUInt8(6)]!,
    errorClass: ERROR_CLASSES[value.readUInt8(7)],
    run: value.readUInt16BE(8),
    type: value.toString('latin1', 11, typeEnd),
    id: idOf(value.subarray(typeEnd)),
  };
}

function idOf(key: Buffer): string {
  if (key[0] !== KIND.uuid) return key.toString('utf8', 1);
  const hex = key.toString('hex', 1);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
