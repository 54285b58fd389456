/** A CPU profile as V8 writes it: a tree of calls, and the node on top of the stack at each sample. */
export interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  samples: number[];
  timeDeltas: number[];
}

export interface Share {
  name: string;
  /** Percentage of the time in which the thread was busy. */
  percent: number;
}

export interface ProfileSummary {
  /** Percentage of all time. */
  busyPercent: number;
  functions: Share[];
  modules: Share[];
}

/** Self time by function and by module, largest first. */
export function summariseProfile({ nodes, samples, timeDeltas }: CpuProfile): ProfileSummary {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const functions = new Map<string, number>();
  const modules = new Map<string, number>();
  let all = 0;
  let busy = 0;
  samples.forEach((id, i) => {
    const us = timeDeltas[i] ?? 0;
    const { functionName = '', url = '', lineNumber = 0 } = frames.get(id) ?? {};
    all += us;
    if (functionName === '(idle)') return;
    busy += us;
    const place = moduleOf(url, functionName);
    const where = url ? ` ${place}:${lineNumber + 1}` : '';
    add(functions, `${functionName || '(anonymous)'}${where}`, us);
    add(modules, place, us);
  });
  const shares = (times: Map<string, number>): Share[] =>
    [...times]
      .map(([name, us]) => ({ name, percent: (100 * us) / busy }))
      .sort((a, b) => b.percent - a.percent);
  return { busyPercent: (100 * busy) / all, functions: shares(functions), modules: shares(modules) };
}

/** A short name: `nats-core/lib/protocol.js`, `services/gateway/dist/app.js`, `node:net`, or the kind of native code. */
function moduleOf(url: string, functionName: string): string {
  if (!url) return functionName.startsWith('(') ? functionName : '(native)';
  const path = url.replace(/^file:\/\//, '');
  const inPackage = path.split('/node_modules/').at(-1)!;
  if (inPackage !== path) return inPackage;
  return /(?:^|\/)((?:services|libs|bench|deploy)\/.*)$/.exec(path)?.[1] ?? path;
}

function add(times: Map<string, number>, name: string, us: number): void {
  times.set(name, (times.get(name) ?? 0) + us);
}
