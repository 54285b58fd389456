import { factsOf, type ServiceName, SERVICES } from '@tps/contracts/fleet';

/** Turns the text of a file into what it should be. */
type Rendering = (text: string) => string;

/** The gateway differs in most files (ports, TLS, three named replicas), so only the others are rendered. */
const OTHERS = SERVICES.filter((service) => service !== 'gateway');

/** The container of a service in the compose files, and therefore its host name. */
const host = (service: ServiceName): string => (service === 'gateway' ? 'tps-system' : service);

/** The files that list the services, each with how the list is written into it. Paths are relative to the root. */
export const FILES: Readonly<Record<string, Rendering>> = {
  'tsconfig.json': (text) =>
    replaced(
      text,
      /( +\{ "path": "services\/\w+" \},\n)+/,
      SERVICES.map((service) => `    { "path": "services/${service}" },\n`),
    ),
  'docker-compose.yml': (text) => {
    const started = OTHERS.map((service) => `      ${service}: { condition: service_started }`);
    return block(block(text, 'dependencies', started), 'services', OTHERS.map(composeService));
  },
  'docker-compose-ha.yml': (text) => block(text, 'services', OTHERS.map(replicatedService)),
  'deploy/compose/base.yml': (text) => block(text, 'services', OTHERS.map(container)),
  'deploy/compose/run.sh': (text) => replaced(text, /^FLEET='.*'$/m, [`FLEET='${OTHERS.join(' ')}'`]),
  'deploy/chart/values.yaml': (text) =>
    block(
      text,
      'services',
      OTHERS.map((service) => {
        const { dataVariable } = factsOf(service);
        const data = dataVariable ? `dataVariable: ${dataVariable}, ` : '';
        return `  ${service}: { replicas: 2, ${data}secrets: {}, config: {}, resources: *resources }`;
      }),
    ),
  'deploy/chart/values.schema.json': (text) => {
    const required = replaced(text, /"required": \["gateway"[^\]]*\]/, [
      `"required": ${JSON.stringify(SERVICES)}`,
    ]);
    const properties = SERVICES.map((service) => `"${service}": { "$ref": "#/definitions/service" }`);
    return replaced(required, /("\w+": \{ "\$ref": "#\/definitions\/service" \},?\s+)+/, [
      `${properties.join(', ')} `,
    ]);
  },
  'prometheus/prometheus.yml': (text) =>
    replaced(text, /names: \[tps-system[^\]]*\]/, [`names: [${SERVICES.map(host).join(', ')}]`]),
  'prometheus/rules/tps.yml': (text) =>
    replaced(
      text,
      / +label_replace\(absent\(up[^]*?(?= +for:)/,
      SERVICES.map((service, i) => `          ${i === 0 ? '' : 'or '}${absent(host(service))}\n`),
    ),
  'prometheus/tests/tps.yml': (text) => {
    // The test takes away worker and kaizen by itself.
    const present = SERVICES.filter((service) => service !== 'worker' && service !== 'kaizen');
    return repeated(repeated(text, 'present', present), 'missing', SERVICES);
  },
  'README.md': (text) =>
    block(text, 'services', [
      '| service | in plain words | principle |',
      '|---|---|---|',
      ...SERVICES.map(
        (service) => `| **${service}** | ${factsOf(service).does} | ${factsOf(service).principle} |`,
      ),
    ]),
};

function composeService(service: ServiceName, index: number): string {
  const { replicasVariable } = factsOf(service);
  return [
    `${index === 0 ? '' : '\n'}  ${service}:`,
    `    extends: { file: deploy/compose/base.yml, service: ${service} }`,
    ...(replicasVariable ? [`    scale: \${${replicasVariable}:-1}`] : []),
    '    depends_on: *after-nats',
  ].join('\n');
}

function replicatedService(service: ServiceName, index: number): string {
  const { replicasVariable } = factsOf(service);
  return [
    `${index === 0 ? '' : '\n'}  ${service}:`,
    `    extends: { file: deploy/compose/base.yml, service: ${service} }`,
    `    scale: ${replicasVariable ? `\${${replicasVariable}:-2}` : 2}`,
    '    environment: *cluster',
    '    depends_on: *after-nats',
  ].join('\n');
}

function container(service: ServiceName, index: number): string {
  const { uid, usesBackup = false, dataVariable } = factsOf(service);
  return [
    `${index === 0 ? '' : '\n'}  ${service}:`,
    '    extends: fleet',
    `    command: [services/${service}/dist/main.js]`,
    `    user: '${uid}'`,
    '    environment:',
    `      NATS_PASSWORD_FILE: /run/secrets/${service}/nats-password`,
    ...(usesBackup ? [`      RABBITMQ_URL_FILE: /run/secrets/${service}/rabbitmq-url`] : []),
    ...(dataVariable
      ? [`      ${dataVariable}: /data`, '    volumes:', `      - ${service}-data:/data`]
      : []),
  ].join('\n');
}

function absent(station: string): string {
  return `label_replace(absent(up{job="tps", station="${station}"} == 1), "station", "${station}", "", "")`;
}

/** Replaces the lines between the comments `<name>: written by ...` and `end of <name>`. */
function block(text: string, name: string, lines: readonly string[]): string {
  const marks = new RegExp(`(^.*\\b${name}: written by .*\\n)[^]*?(^.*\\bend of ${name}\\b)`, 'm');
  const [, begin, end] = marks.exec(text) ?? [];
  if (!begin || !end) throw new Error(`lacks the marks "${name}: written by ..." and "end of ${name}"`);
  return text.replace(marks, () => `${begin}${lines.join('\n')}\n${end}`);
}

/** Repeats the first entry of a block, which is about the gateway, for each of the services. */
function repeated(text: string, name: string, services: readonly ServiceName[]): string {
  const [, indent = '', first = ''] =
    new RegExp(`\\b${name}: written by .*\\n( *)(- [^]*?)\\n\\1[-#]`).exec(text) ?? [];
  return block(
    text,
    name,
    services.map((service) => indent + first.replaceAll(host('gateway'), host(service))),
  );
}

function replaced(text: string, pattern: RegExp, lines: readonly string[]): string {
  if (!pattern.test(text)) throw new Error(`has nothing like ${String(pattern)}`);
  return text.replace(pattern, () => lines.join(''));
}
