import { resolve } from 'node:path';
import { SERVICES } from '@tps/contracts';
import { commonVariables } from '@tps/service';

const ROOT = resolve(__dirname, '../..');

export interface Rule {
  default?: unknown;
  description?: string;
  pattern?: string;
  format?: string;
  /** The allowed texts, in words. */
  form?: string;
  /** May stand in the file that `<NAME>_FILE` names. */
  secret?: boolean;
}
type Rules = Record<string, Rule>;

/** Loads a built module, because the documentation describes the built product. */
export function built<T>(path: string): T {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- the documentation describes the built product
  return require(resolve(ROOT, path)) as T;
}

/** Every variable with the services that read it, in the order in which they are met. */
export function variables(): Map<string, { rule: Rule; readers: string[] }> {
  const { workerVariables } = built<{ workerVariables: Rules }>('libs/worker/dist/index.js');
  const own = (service: string): Rules => {
    const config = built<Record<string, unknown>>(`services/${service}/dist/config.js`);
    return (config.variables ?? config[`${service}Variables`] ?? {}) as Rules;
  };
  const sets = SERVICES.filter((service) => service !== 'worker').map((service): [string, Rules] => [
    service,
    own(service),
  ]);
  sets.push(['worker', { ...workerVariables, ...own('worker') }], ['all', commonVariables]);
  const found = new Map<string, { rule: Rule; readers: string[] }>();
  for (const [service, rules] of sets) {
    for (const [name, rule] of Object.entries(rules)) {
      const known = found.get(name);
      if (known) known.readers.push(service);
      else found.set(name, { rule, readers: [service] });
    }
  }
  return found;
}
