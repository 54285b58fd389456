// Runs before everything else in the compose stack. At the first start it makes the passwords, which stay in their volume;
// each file belongs to the one user that reads it. Runs as root, with the capability to give files away and no other.
import { createHash, randomBytes } from 'node:crypto';
import { chownSync, existsSync, rmSync, writeFileSync } from 'node:fs';

const SECRETS = '/run/secrets';
const DONE = `${SECRETS}/.complete`;
const USERS = { root: 0, fleet: 1000, nats: 1000, grafana: 472, jaeger: 10001 };

function write(name, owner, text, mode = 0o400) {
  const path = `${SECRETS}/${name}`;
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

function makeSecrets() {
  const passwords = { tps: password(), admin: password() };
  write('rabbitmq-url', 'fleet', `amqp://tps:${passwords.tps}@rabbitmq:5672/tps`);
  write('rabbitmq-admin-password', 'root', passwords.admin);
  // RabbitMQ's user has another number in every image, and of the passwords there are only digests in here.
  write('rabbitmq-definitions.json', 'root', rabbitDefinitions(passwords), 0o444);
  write('grafana-admin-password', 'grafana', password());
  write('.complete', 'root', '');
  console.log('made the passwords');
}

if (!existsSync(DONE)) makeSecrets();
chownSync('/data', USERS.nats, USERS.nats);
chownSync('/badger', USERS.jaeger, USERS.jaeger);
