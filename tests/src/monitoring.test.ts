import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { FLEET, METRICS, recordOf, type ServiceName, SERVICES } from '@tps/contracts';
import { freePorts, waitFor } from '@tps/testkit';
import { parse, stringify } from 'yaml';
import { Fleet } from './fleet';

const ROOT = resolve(__dirname, '../..');
const DASHBOARDS = resolve(ROOT, 'grafana/dashboards');

interface Panel {
  title: string;
  type: string;
  description?: string;
  datasource: { uid: string };
  fieldConfig?: { defaults: { unit?: string } };
  targets: { expr: string }[];
}
interface Dashboard {
  uid: string;
  title: string;
  panels: Panel[];
}

const dashboards = readdirSync(DASHBOARDS).map(
  (file) => JSON.parse(readFileSync(join(DASHBOARDS, file), 'utf8')) as Dashboard,
);
const panels = dashboards.flatMap(({ title, panels }) =>
  panels.map((panel) => ({ name: `${title}: ${panel.title}`, ...panel })),
);
const rules = (
  parse(readFileSync(resolve(ROOT, 'prometheus/rules/tps.yml'), 'utf8')) as {
    groups: { rules: { alert: string; expr: string; annotations: Record<string, string> }[] }[];
  }
).groups.flatMap((group) => group.rules);

const installed = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;
/** Runs where the program is installed; otherwise the list of tests says why it did not. */
const withProgram = (program: string, name: string, run: () => Promise<void>): void =>
  installed(program)
    ? test(name, run, 120_000)
    : test.skip(`${name}: skipped, ${program} is not installed`, run);

const metricNames = (expr: string): string[] => [
  ...new Set([...expr.matchAll(/\b(?:tps|process|nodejs)_\w+/g)].map(([name]) => name)),
];

describe('dashboards and alerts', () => {
  test("the guide's four dashboards are there", () => {
    expect(dashboards.map(({ title }) => title).sort()).toEqual([
      'Circuit Breaker Status',
      'Error Analysis',
      'Performance Metrics',
      'TPS Overview',
    ]);
  });

  test('every metric of the fleet that they name is one of those in contracts', () => {
    const known = new Set<string>(Object.values(METRICS).map(({ name }) => name));
    const exprs = [...panels.flatMap(({ targets }) => targets), ...rules].map(({ expr }) => expr);
    const named = exprs.flatMap(metricNames).filter((name) => name.startsWith('tps_'));
    const unknown = named.filter((name) => !known.has(name.replace(/_(bucket|sum|count)$/, '')));
    expect(unknown).toEqual([]);
  });

  test('every panel says what it shows, in which unit, from a known source', () => {
    const sources = (
      parse(readFileSync(resolve(ROOT, 'grafana/provisioning/datasources/tps.yml'), 'utf8')) as {
        datasources: { uid: string }[];
      }
    ).datasources.map(({ uid }) => uid);
    const vague = panels.filter(
      ({ description, datasource, type, fieldConfig }) =>
        !description || !sources.includes(datasource.uid) || (type !== 'logs' && !fieldConfig?.defaults.unit),
    );
    expect(vague.map(({ name }) => name)).toEqual([]);
  });

  test('every alert says what to do, in a place that exists', () => {
    for (const { alert, annotations } of rules) {
      const [file, anchor] = annotations.runbook_url!.split('#');
      const headings = readFileSync(resolve(ROOT, file!), 'utf8').match(/^#+ .*$/gm) ?? [];
      expect({ alert, headings: headings.map((line) => line.replace(/^#+ /, '').toLowerCase()) }).toEqual({
        alert,
        headings: expect.arrayContaining([anchor]) as string[],
      });
    }
  });

  withProgram('promtool', 'the rules fire when they should', async () => {
    const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', 'prometheus/tests/tps.yml'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    expect({ status, output: stdout + stderr }).toMatchObject({ status: 0 });
  });

  describe('over a real fleet', () => {
    let fleet: Fleet;
    let base: number;
    beforeAll(async () => {
      fleet = await Fleet.start({ TPS_CB_TIMEOUT: '1', TPS_HEIJUNKA_POOL: '2' });
      base = Number(fleet.environment.TPS_METRICS_BASE_PORT);
    }, 90_000);
    afterAll(() => fleet?.stop(), 60_000);

    /** host:port of each service, as prometheus.yml finds them by name. */
    const targets = (): Record<string, string[]> => {
      const at = (port: number): string => `127.0.0.1:${port}`;
      const others = SERVICES.filter((service) => service !== 'gateway');
      const first = Math.min(...others.map((service) => FLEET[service].metricsPort));
      const portOf = (service: ServiceName): number => base + FLEET[service].metricsPort - first;
      return {
        'tps-system': [at(Number(fleet.environment.METRICS_PORT))],
        ...recordOf(others, (service) => [at(portOf(service))]),
        worker: [at(portOf('worker')), at(base + others.length)],
      };
    };

    /** Every kind of signal and answer that a panel counts. */
    const work = async (): Promise<void> => {
      const later = { headers: { prefer: 'respond-async' } };
      await Promise.all([
        ...Array.from({ length: 8 }, () => fleet.post('execute', { task: 'demo' }, later)),
        ...Array.from({ length: 8 }, () => fleet.post('report', { chaos: { fail: 'transient' } }, later)),
        // An open circuit holds later work, and refuses all but one of the senders who wait.
        ...Array.from({ length: 3 }, () => fleet.post('report', {})),
        fleet.post('validate', { data: 1, chaos: { fail: 'defect' } }, later),
        fleet.post('validate', { data: 1, chaos: { fail: 'transient', fail_first: 1 } }, later),
        fleet.post('validate', {}, later),
        fleet.post('nonsense', {}, later),
      ]);
    };

    test('every metric that is named somewhere is told by some service', async () => {
      const exprs = [
        ...panels.flatMap((panel) => panel.targets.map(({ expr }) => expr)),
        ...rules.map(({ expr }) => expr),
      ];
      const wanted = new Set(exprs.flatMap(metricNames));
      const hosts = Object.values(targets()).flat();
      await waitFor('all metrics', async () => {
        await work();
        const texts = await Promise.all(
          hosts.map(async (host) => (await fetch(`http://${host}/metrics`)).text()),
        );
        const told = new Set(
          texts.flatMap((text) => [...text.matchAll(/^(\w+)[{ ]/gm)].map(([, name]) => name)),
        );
        const missing = [...wanted].filter((name) => !told.has(name));
        if (missing.length > 0) throw new Error(`nobody tells ${missing.join(', ')}`);
        return true;
      });
    });

    withProgram('prometheus', 'every panel shows something in a Prometheus that scrapes it', async () => {
      const prometheus = await Prometheus.start(targets());
      try {
        const queries = panels
          .filter(({ datasource }) => datasource.uid === 'prometheus')
          .flatMap(({ name, targets }) => targets.map(({ expr }) => ({ name, expr })));
        const empty = new Map(queries.map(({ name, expr }) => [expr, name]));
        await waitFor(
          'data for every panel',
          async () => {
            await work();
            for (const expr of empty.keys()) if (await prometheus.hasData(expr)) empty.delete(expr);
            if (empty.size > 0) throw new Error(`nothing yet for ${[...empty.values()].join(', ')}`);
            return true;
          },
          { limitMs: 60_000, everyMs: 1_000 },
        );
      } finally {
        prometheus.stop();
      }
    });
  });
});

/** The installed Prometheus with the real configuration, but for where things are and how often it looks. */
class Prometheus {
  private constructor(
    private readonly url: string,
    private readonly home: string,
    private readonly child: ChildProcess,
  ) {}

  static async start(targets: Record<string, string[]>): Promise<Prometheus> {
    const home = mkdtempSync(join(tmpdir(), 'tps-prometheus-'));
    const [port] = await freePorts(1);
    const config = parse(readFileSync(resolve(ROOT, 'prometheus/prometheus.yml'), 'utf8')) as {
      global: object;
      scrape_configs: unknown[];
    };
    const file = join(home, 'prometheus.yml');
    const fast = { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' };
    const scrape = {
      job_name: 'tps',
      static_configs: Object.entries(targets).map(([station, hosts]) => ({
        targets: hosts,
        labels: { station },
      })),
    };
    const rule_files = [resolve(ROOT, 'prometheus/rules/*.yml')];
    writeFileSync(
      file,
      stringify({ ...config, global: fast, rule_files, alerting: {}, scrape_configs: [scrape] }),
    );
    const args = [
      `--config.file=${file}`,
      `--storage.tsdb.path=${home}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ];
    const child = spawn('prometheus', args, { stdio: 'ignore' });
    const started = new Prometheus(`http://127.0.0.1:${port}`, home, child);
    await waitFor('Prometheus', async () => (await fetch(`${started.url}/-/ready`).catch(() => null))?.ok);
    return started;
  }

  async hasData(expr: string): Promise<boolean> {
    const query = expr.replaceAll('$__rate_interval', '10s');
    const answer = await fetch(`${this.url}/api/v1/query?query=${encodeURIComponent(query)}`);
    const { status, error, data } = (await answer.json()) as {
      status: string;
      error?: string;
      data: { result: { value: [number, string] }[] };
    };
    if (status !== 'success') throw new Error(`${expr}: ${error}`);
    return data.result.some(({ value }) => value[1] !== 'NaN');
  }

  stop(): void {
    this.child.kill();
    rmSync(this.home, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}
