import type * as Fs from 'node:fs';
import type * as WorkerThreads from 'node:worker_threads';
import type * as AjvModule from 'ajv';
import type * as Ajv2020Module from 'ajv/dist/2020';
import type * as FormatsModule from 'ajv-formats';

/** One check. Both parts are JSON text, which crosses to the thread faster than objects. */
export interface SchemaCheck {
  schema: string;
  data: string;
}

/** `faults` are the first few faults; `unusable` tells why the schema cannot be applied. */
export type SchemaAnswer = { faults: AjvModule.ErrorObject[]; count: number } | { unusable: string };

/**
 * Checks one message after the other in a thread. Its first message is the name in /proc under which the system counts
 * its processor time.
 *
 * The thread evaluates this function's *source*, because a thread loads plain JavaScript files only, and there is none
 * when jest runs the TypeScript. So the function may use nothing outside of it except types, and modules by the paths
 * that the owner resolved.
 */
export function schemaThread(load: (module: string) => unknown): void {
  const thread = load('node:worker_threads') as typeof WorkerThreads;
  const paths = thread.workerData as Record<'ajv' | 'ajv2020' | 'formats', string>;
  const { Ajv } = load(paths.ajv) as typeof AjvModule;
  const { Ajv2020 } = load(paths.ajv2020) as typeof Ajv2020Module;
  const addFormats = (load(paths.formats) as typeof FormatsModule).default;

  const FAULTS_SHOWN = 5;
  const SCHEMAS_KEPT = 32;
  const DRAFT_07 = 'http://json-schema.org/draft-07/schema';
  // One validator per dialect checks schemas against it and keeps nothing of them.
  const dialects = new Map([
    [DRAFT_07, { Dialect: Ajv, judge: new Ajv() }],
    ['https://json-schema.org/draft/2020-12/schema', { Dialect: Ajv2020, judge: new Ajv2020() }],
  ]);
  /** Tells the sender what is wrong with its schema. */
  class UnusableSchemaError extends Error {}
  // Cached, because senders repeat the same few schemas, and compiling one costs milliseconds.
  const compiled = new Map<string, AjvModule.ValidateFunction>();

  function compile(text: string): AjvModule.ValidateFunction {
    const schema = JSON.parse(text) as AjvModule.AnySchemaObject | boolean;
    const named: unknown = typeof schema === 'object' ? schema.$schema : undefined;
    const dialect = typeof named === 'string' ? named.replace(/#$/, '') : DRAFT_07;
    const known = dialects.get(dialect);
    if (!known) throw new UnusableSchemaError(`$schema ${dialect} is neither draft-07 nor draft 2020-12`);
    const { Dialect, judge } = known;
    if (!judge.validateSchema(schema))
      throw new UnusableSchemaError(judge.errorsText(judge.errors, { dataVar: 'schema' }));
    // An instance for each schema, because ajv keeps every `$id`. `strict` would refuse what the standard allows.
    const lenient = { strict: false, allErrors: true, meta: false, validateSchema: false } as const;
    const ajv = new Dialect({ ...lenient, logger: false });
    addFormats(ajv);
    const check = ajv.compile(schema);
    // An $async schema would return a promise, which is truthy.
    if ('$async' in check) throw new UnusableSchemaError('$async is not supported');
    if (compiled.size >= SCHEMAS_KEPT) compiled.clear();
    compiled.set(text, check);
    return check;
  }

  function answer({ schema, data }: SchemaCheck): SchemaAnswer {
    try {
      const check = compiled.get(schema) ?? compile(schema);
      const errors = check(JSON.parse(data)) ? [] : (check.errors ?? []);
      return { faults: errors.slice(0, FAULTS_SHOWN), count: errors.length };
    } catch (error) {
      return { unusable: (error as Error).message };
    }
  }

  const owner = thread.parentPort;
  owner?.on('message', (check: SchemaCheck) => owner.postMessage(answer(check)));
  owner?.postMessage(nameOfThread());

  function nameOfThread(): string {
    try {
      return (load('node:fs') as typeof Fs).readlinkSync('/proc/thread-self');
    } catch {
      return '';
    }
  }
}
