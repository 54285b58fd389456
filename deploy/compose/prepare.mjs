// Runs before everything else in the compose stack. At the first start it makes the passwords, which stay in their volume;
// each file belongs to the one user that reads it. It also gives data volumes to the users that write them. Runs as root,
// with the capability to give files away and no other.
import { createHash, randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const SECRETS = '/run/secrets';
const VOLUMES = '/own';
/** As `user` in base.yml. */
const SERVICES = {
  gateway: 2001,
  jidoka: 2002,
  kanban: 2003,
  worker: 2004,
  andon: 2005,
  kaizen: 2006,
  heijunka: 2007,
};
/** The others are fixed by their images. */
const USERS = { ...SERVICES, root: 0, nats: 1000, grafana: 472, jaeger: 10001 };

function write(name, owner, text, mode = 0o400) {
  const path = `${SECRETS}/${name}`;
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  writeFileSync(path, text, { mode });
  chownSync(path, USERS[owner], USERS[owner]);
}

const password = () => randomBytes(24).toString('base64url');

/** As RabbitMQ stores it: base64 of a salt of 4 bytes and the digest of salt and password. */
function rabbitHash(secret) {
  const salt = randomBytes(4);
  const digest = createHash('sha256').update(salt).update(secret).digest();
  return Buffer.concat([salt, digest]).toString('base64');
}

function rabbitDefinitions(passwords) {
  const user = (name, tags) => ({
    name,
    password_hash: rabbitHash(passwords[name]),
    hashing_algorithm: 'rabbit_password_hashing_sha256',
    tags,
  });
  const backup = 'tps\\.backup$';
  return JSON.stringify({
    users: [user('tps', []), user('admin', ['administrator'])],
    vhosts: [{ name: 'tps' }],
    permissions: [
      // To publish to a queue by its name is to write to the default exchange.
      { user: 'tps', vhost: 'tps', configure: backup, write: '^amq\\.default$', read: backup },
      { user: 'admin', vhost: 'tps', configure: '.*', write: '.*', read: '.*' },
    ],
  });
}

/** A password for each service, and one for the system account, for NATS to read from its environment. */
function natsSecrets() {
  const lines = [...Object.keys(SERVICES), 'sys'].map((user) => {
    const secret = password();
    if (user in SERVICES) write(`${user}/nats-password`, user, secret);
    return `TPS_NATS_${user.toUpperCase()}_PASSWORD='"${secret}"'\n`;
  });
  write('nats/passwords.env', 'nats', lines.join(''));
}

function rabbitSecrets() {
  const passwords = { tps: password(), admin: password() };
  for (const service of ['gateway', 'kanban']) {
    write(`${service}/rabbitmq-url`, service, `amqp://tps:${passwords.tps}@rabbitmq:5672/tps`);
  }
  write('rabbitmq-admin-password', 'root', passwords.admin);
  // RabbitMQ's user has another number in every image, and of the passwords there are only digests in here.
  write('rabbitmq-definitions.json', 'root', rabbitDefinitions(passwords), 0o444);
}

/** Each writes the file it is known by last: what was interrupted is made again. */
const MAKERS = {
  'nats/passwords.env': natsSecrets,
  'rabbitmq-definitions.json': rabbitSecrets,
  'grafana-admin-password': () => write('grafana-admin-password', 'grafana', password()),
};
for (const [file, make] of Object.entries(MAKERS)) {
  if (existsSync(`${SECRETS}/${file}`)) continue;
  make();
  console.log(`made ${file}`);
}

for (const volume of readdirSync(VOLUMES)) {
  const owner = USERS[volume.split('-')[0]];
  chownSync(`${VOLUMES}/${volume}`, owner, owner);
}
