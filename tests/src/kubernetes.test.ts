import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { SERVICES } from '@tps/contracts';
import { parse, parseAllDocuments } from 'yaml';

const ROOT = resolve(__dirname, '../..');

interface Container {
  args?: string[];
  image: string;
  securityContext: unknown;
  env?: { name: string; value?: string }[];
}
interface PodSpec {
  securityContext: unknown;
  automountServiceAccountToken: boolean;
  containers: Container[];
  volumes?: { secret?: { items: { key: string }[] } }[];
}
interface Manifest {
  kind: string;
  metadata: { name: string };
  spec: { template: { spec: PodSpec } };
}

const read = (path: string): string => readFileSync(resolve(ROOT, path), 'utf8');
const manifests = (text: string): Manifest[] =>
  parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null);
const workloads = (text: string): Manifest[] =>
  manifests(text).filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet');

/** The Pod Security level `restricted`, and a little more. */
const RESTRICTED = {
  automountServiceAccountToken: false,
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
};
const RESTRICTED_CONTAINER = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};

describe('k8s/', () => {
  test('there is a Deployment for every service', () => {
    const args = workloads(read('k8s/fleet.yaml')).flatMap(
      ({ spec }) => spec.template.spec.containers[0]!.args,
    );
    expect(args.sort()).toEqual(SERVICES.map((name) => `services/${name}/dist/main.js`).sort());
  });

  test.each(['k8s/fleet.yaml', 'k8s/nats.yaml'])('%s has no more rights than it needs', (file) => {
    const found = workloads(read(file));
    expect(found.length).toBeGreaterThan(0);
    for (const { spec } of found) {
      expect(spec.template.spec).toMatchObject(RESTRICTED);
      for (const container of spec.template.spec.containers) {
        expect(container.securityContext).toMatchObject(RESTRICTED_CONTAINER);
      }
    }
  });

  test('NATS is the version that compose runs', () => {
    const [nats] = workloads(read('k8s/nats.yaml'));
    expect(read('deploy/compose/base.yml')).toContain(
      `image: ${nats!.spec.template.spec.containers[0]!.image}\n`,
    );
  });
});

const helm = spawnSync('helm', ['version']).error === undefined;
(helm ? describe : describe.skip)(`the Helm chart${helm ? '' : ': skipped, helm is not installed'}`, () => {
  const render = (...options: string[]): string => {
    const { status, stdout, stderr } = spawnSync(
      resolve(ROOT, 'deploy/chart/render.sh'),
      ['--kube-version', '1.27.0', ...options],
      {
        cwd: ROOT,
        encoding: 'utf8',
      },
    );
    if (status !== 0) throw new Error(stderr);
    return stdout;
  };
  const everything = (): string =>
    render('-f', 'deploy/chart/ci/everything-values.yaml', '--api-versions', 'monitoring.coreos.com/v1');

  test('k8s/fleet.yaml is what it renders (make k8s)', () => {
    // Helm 3 and 4 leave other empty lines.
    const lines = (text: string): string => text.replace(/\n{2,}/g, '\n');
    expect(lines(render())).toBe(lines(read('k8s/fleet.yaml')));
  });

  test('each service sees only its own secrets', () => {
    const keys = workloads(everything()).map(({ metadata, spec }) => [
      metadata.name,
      (spec.template.spec.volumes ?? []).flatMap(({ secret }) => secret?.items.map(({ key }) => key) ?? []),
    ]);
    expect(Object.fromEntries(keys)).toMatchObject({
      'tps-gateway': ['auth-token', 'rabbitmq-url'],
      'tps-kanban': ['rabbitmq-url'],
      'tps-worker': [],
    });
  });

  test("the chart's own NATS, which knows no users, is reached by the fleet alone", () => {
    const rendered = manifests(render('--set', 'nats.enabled=true'));
    const policy = rendered.find(
      ({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === 'tps-nats',
    );
    const nats = { 'app.kubernetes.io/name': 'nats', 'app.kubernetes.io/instance': 'tps' };
    expect(policy?.spec).toMatchObject({
      podSelector: { matchLabels: nats },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        {
          from: [
            { podSelector: { matchLabels: { 'app.kubernetes.io/part-of': 'tps' } } },
            { podSelector: { matchLabels: nats } },
          ],
        },
        { ports: [{ port: 'prom-metrics' }] },
      ],
    });
  });

  test('a variable that names a file is set to it, another one is read from it', () => {
    const secrets = ['AUTH_TOKEN=token', 'SSL_CERT_PATH=tls-crt', 'NATS_CA_FILE=ca'];
    const options = secrets.flatMap((secret) => ['--set', `services.gateway.secrets.${secret}`]);
    const gateway = workloads(render('--set', 'secretName=tps', ...options)).find(
      ({ metadata }) => metadata.name === 'tps-gateway',
    );
    expect(gateway?.spec.template.spec.containers[0]?.env).toEqual(
      expect.arrayContaining([
        { name: 'AUTH_TOKEN_FILE', value: '/run/secrets/tps/token' },
        { name: 'SSL_CERT_PATH', value: '/run/secrets/tps/tls-crt' },
        { name: 'NATS_CA_FILE', value: '/run/secrets/tps/ca' },
      ]),
    );
  });

  test('its alerts are those of prometheus/', () => {
    const rule = manifests(everything()).find(({ kind }) => kind === 'PrometheusRule');
    expect(rule?.spec).toEqual(parse(read('prometheus/rules/tps.yml')));
  });

  test.each([
    ['an unknown value', ['--set', 'typo=1'], /typo/],
    ['a wrong type', ['--set', 'services.worker.replicas=two'], /replicas/],
    ['secrets from nowhere', ['--set', 'services.gateway.secrets.AUTH_TOKEN=token'], /secretName is needed/],
    [
      'two who scale the workers',
      ['--set', 'keda.enabled=true,autoscaling.worker.enabled=true'],
      /one of keda and autoscaling/,
    ],
  ])('%s is refused', (_, options, message) => {
    expect(() => render(...options)).toThrow(message);
  });
});
