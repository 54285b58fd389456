// Runs before everything else in the compose stack. It makes the passwords that are missing, which stay in their volume: all of
// them at the first start, and those of a new service after an upgrade. Each file belongs to the one user that reads it. It
// also gives data volumes to the users that write them. Runs as root, with the capability to give files away and no other, so
// it cannot read what it has given away.
import { createHash, randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { FLEET } from '/app/libs/contracts/dist/fleet.js';

const SECRETS = '/run/secrets';
const VOLUMES = '/own';
const SERVICES = Object.keys(FLEET);
/** Those of the services are in the manifest; the others are fixed by their images. */
const USERS = {
  ...Object.fromEntries(SERVICES.map((service) => [service, FLEET[service].uid])),
  ...{ root: 0, nats: 1000, grafana: 472, jaeger: 10001 },
};

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

/** The password of a user at NATS, once for the server's environment and once for the service. */
function natsSecret(user) {
  const secret = password();
  write(`nats/${user}.env`, 'nats', `TPS_NATS_${user.toUpperCase()}_PASSWORD='"${secret}"'\n`);
  if (user in FLEET) write(`${user}/nats-password`, user, secret);
}

function rabbitSecrets() {
  const passwords = { tps: password(), admin: password() };
  for (const service of SERVICES.filter((name) => FLEET[name].usesBackup)) {
    write(`${service}/rabbitmq-url`, service, `amqp://tps:${passwords.tps}@rabbitmq:5672/tps`);
  }
  write('rabbitmq-admin-password', 'root', passwords.admin);
  // RabbitMQ's user has another number in every image, and of the passwords there are only digests in here.
  write('rabbitmq-definitions.json', 'root', rabbitDefinitions(passwords), 0o444);
}

/**
 * Each maker writes the file it is known by last, so what was interrupted is made again. Version 1.0.0 kept the passwords of
 * all users at NATS in passwords.env, which the server still reads.
 */
const MAKERS = {
  ...Object.fromEntries(SERVICES.map((user) => [`${user}/nats-password`, () => natsSecret(user)])),
  ...(existsSync(`${SECRETS}/nats/passwords.env`) ? {} : { 'nats/sys.env': () => natsSecret('sys') }),
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
