import Ajv, { type Options, type ValidateFunction } from 'ajv';
import Ajv2020 from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import type { Bus } from '@tps/bus';
import { retirementText, type TypeRecord } from '@tps/contracts';
import { TypesView } from '@tps/fleet';
import type { Logger } from '@tps/telemetry';
import { ApiError } from '../problem';
import { faultsOf, invalidSignal, type SignalInput } from './validate';

/** The signal types that workers announced and nobody retired, with the schemas of their input. */
export class SignalTypes {
  /** By record, so that a type that is registered anew is compiled anew. */
  private readonly checks = new WeakMap<TypeRecord, ValidateFunction | 'unusable'>();

  private constructor(
    private readonly records: TypesView,
    private readonly log: Logger,
  ) {}

  static async open(bus: Bus, replicas: number, log: Logger): Promise<SignalTypes> {
    const onError = (error: unknown): void => void log.error('following the signal types failed', { error });
    return new SignalTypes(await TypesView.open(bus, { replicas, onError }), log);
  }

  known(): string[] {
    return [...this.records.known()].sort();
  }

  get(type: string): TypeRecord | undefined {
    return this.records.get(type);
  }

  /** Why this gateway may not know the types now. */
  problems(): string[] {
    return this.records.problems();
  }

  /**
   * Whether any worker could take the signal.
   * @throws ApiError
   */
  check(input: SignalInput): void {
    const record = this.records.get(input.signal_type);
    if (!record) throw this.unknown(input.signal_type);
    if (!record.input_schema) return;
    const check = this.checkOf(record, record.input_schema);
    if (check === 'unusable' || check(input.payload)) return;
    throw invalidSignal(faultsOf(check.errors, '/payload'));
  }

  /**
   * That the fleet knows this type.
   * @throws ApiError
   */
  assertKnown(type: string): void {
    if (!this.records.get(type)) throw this.unknown(type);
  }

  close(): void {
    this.records.close();
  }

  private unknown(type: string): ApiError {
    const known = this.known();
    // A fleet that has just been started would refuse for ever what it takes in a second.
    if (known.length === 0)
      return new ApiError('UNAVAILABLE', 'No worker has registered any signal type yet.');
    const retirement = this.records.retirement(type);
    const what = retirement ? retirementText(type, retirement) : `there is no signal type "${type}"`;
    const message = `${what[0]?.toUpperCase()}${what.slice(1)}; known: ${known.join(', ')}`;
    return new ApiError('UNKNOWN_SIGNAL_TYPE', message, { members: { known_types: known } });
  }

  private checkOf(record: TypeRecord, schema: Record<string, unknown>): ValidateFunction | 'unusable' {
    const compiled = this.checks.get(record) ?? this.compile(record.name, schema);
    this.checks.set(record, compiled);
    return compiled;
  }

  /** Each schema has a validator of its own: two types may use the same `$id`. */
  private compile(type: string, schema: Record<string, unknown>): ValidateFunction | 'unusable' {
    try {
      const options: Options = { allErrors: true, strict: false, logger: false };
      const ajv = String(schema.$schema).includes('2020-12') ? new Ajv2020(options) : new Ajv(options);
      addFormats(ajv);
      const check = ajv.compile(schema);
      // Its check would answer with a promise, which looks like "valid" and rejects where nothing waits for it.
      if ('$async' in check) throw new Error('$async is not supported');
      return check;
    } catch (error) {
      this.log.error('input schema cannot be used; payloads of this type are not checked', { type, error });
      return 'unusable';
    }
  }
}
