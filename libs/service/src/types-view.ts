import { type Bus, type KvOptions, type KvView, openView } from '@tps/bus';
import { isKnownType, type Retirement, type TypeRecord } from '@tps/contracts';

export type TypesViewOptions = Omit<KvOptions<TypeRecord>, 'parse'>;

/** The signal types that workers announced, less those that people retired. Follows `tps_types`. */
export class TypesView {
  private constructor(
    /** For those that write records; a retired type still has one. */
    readonly records: KvView<TypeRecord>,
    private readonly listeners: Set<(type: string) => void>,
  ) {}

  static async open(bus: Bus, { onChange, ...options }: TypesViewOptions): Promise<TypesView> {
    const listeners = new Set<(type: string) => void>();
    const records = await openView(bus, 'types', {
      ...options,
      onChange: (type, record) => {
        if (record && !isKnownType(record)) for (const listener of listeners) listener(type);
        onChange?.(type, record);
      },
    });
    return new TypesView(records, listeners);
  }

  known(): string[] {
    return this.records.keys().filter((type) => this.get(type) !== undefined);
  }

  get(type: string): TypeRecord | undefined {
    const record = this.records.get(type);
    return record && isKnownType(record) ? record : undefined;
  }

  /** The latest retirement of the type, unless the type came back since; one in the phase `checking` may be undone. */
  retirement(type: string): Retirement | undefined {
    return this.records.get(type)?.retired;
  }

  /** The type was known and is not any more. */
  isRetired(type: string): boolean {
    const record = this.records.get(type);
    return record !== undefined && !isKnownType(record);
  }

  /** Calls the listener whenever a type is retired; it may be told of the same retirement twice. */
  onRetired(listener: (type: string) => void): void {
    this.listeners.add(listener);
  }

  /** Why this process may not know the types now. */
  problems(): string[] {
    return this.records.problems();
  }

  close(): void {
    this.records.close();
  }
}
