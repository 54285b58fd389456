import { type Bus, type KvOptions, type KvView, openView } from '@tps/bus';
import { isKnownType, type Retirement, type TypeRecord } from '@tps/contracts';

/** How to follow the types, and who is told of every change of a record. */
export type TypesViewOptions = Omit<KvOptions<TypeRecord>, 'parse'>;

interface ViewState {
  /** Asked for with every signal, so the list is made once after each change. */
  known: readonly string[] | undefined;
  listeners: Set<(type: string) => void>;
}

/** The signal types that workers announced, less those that people retired. Follows `tps_types`. */
export class TypesView {
  private constructor(
    /** For those that write records; a retired type still has one. */
    readonly records: KvView<TypeRecord>,
    private readonly state: ViewState,
  ) {}

  static async open(bus: Bus, { onChange, ...options }: TypesViewOptions): Promise<TypesView> {
    const state: ViewState = { known: undefined, listeners: new Set() };
    const records = await openView(bus, 'types', {
      ...options,
      onChange: (type, record) => {
        state.known = undefined;
        if (record && !isKnownType(record)) for (const listener of state.listeners) listener(type);
        onChange?.(type, record);
      },
    });
    return new TypesView(records, state);
  }

  known(): readonly string[] {
    return (this.state.known ??= this.records.keys().filter((type) => this.get(type) !== undefined));
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
    this.state.listeners.add(listener);
  }

  /** Why this process may not know the types now. */
  problems(): string[] {
    return this.records.problems();
  }

  close(): void {
    this.records.close();
  }
}
