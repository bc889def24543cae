// server.js - an OAuth provider for the black-box tests
//
//   node server.js FOLDER SETTINGS
//
// FOLDER has node_modules; SETTINGS is JSON (see peers_oauth.py).  Two ports
// of 127.0.0.1 are opened and told on standard output: the provider's, which
// can be closed and made to misbehave, and one for the test itself, which has
// POST /-/NAME and where introspection answers at all times.  It ends with
// its standard input.
const http = require('node:http');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

const [folder, settings] = [process.argv[2], JSON.parse(process.argv[3])];
const tenant = `/${settings.tenant}`;
const state = {
  lifetime: 3600, codeLifetime: 600, interval: 0, fault: null, held: [],
  requests: [], issued: [], late: 0,
};

// --- where tokens and grants are kept: in memory, and easy to empty --------

const kept = new Map();
// the models whose id is what the client is given
const access = new Set(['AccessToken', 'ClientCredentials']);
const secret = new Set([...access, 'RefreshToken', 'DeviceCode']);

class Store {
  constructor(model) { this.model = model; }

  key(id) { return `${this.model}:${id}`; }

  async upsert(id, payload) {
    if (secret.has(this.model) && !kept.has(this.key(id))) {
      state.issued.push({ kind: this.model, value: id, at: Date.now() });
    }
    kept.set(this.key(id), payload);
  }

  async find(id) { return kept.get(this.key(id)); }

  async findBy(field, value) {
    for (const [key, payload] of kept) {
      if (key.startsWith(`${this.model}:`) && payload[field] === value) return payload;
    }
    return undefined;
  }

  async findByUserCode(code) { return this.findBy('userCode', code); }

  async findByUid(uid) { return this.findBy('uid', uid); }

  async consume(id) { (await this.find(id)).consumed = Math.floor(Date.now() / 1000); }

  async destroy(id) { kept.delete(this.key(id)); }

  async revokeByGrantId(grantId) {
    for (const [key, payload] of kept) if (payload.grantId === grantId) kept.delete(key);
  }
}

// --- the provider ------------------------------------------------------------

function configuration() {
  const lifetime = () => state.lifetime;
  return {
    adapter: Store,
    clients: settings.clients,
    scopes: ['openid', 'offline_access', ...settings.scopes],
    routes: {
      token: `${tenant}/oauth2/v2.0/token`,
      device_authorization: `${tenant}/oauth2/v2.0/devicecode`,
      authorization: `${tenant}/oauth2/v2.0/authorize`,
      code_verification: `${tenant}/device`,
      introspection: '/introspect',
    },
    ttl: {
      AccessToken: lifetime,
      ClientCredentials: lifetime,
      DeviceCode: () => state.codeLifetime,
    },
    cookies: { keys: ['only for tests'] },
    pkce: { required: () => false },
    rotateRefreshToken: true,
    issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
    findAccount: (ctx, id) => (settings.users.includes(id)
      ? { accountId: id, claims: async () => ({ sub: id, preferred_username: id }) }
      : undefined),
    claims: { openid: ['sub', 'preferred_username'] },
    conformIdTokenClaims: false,
    // whose mailbox it is, for the introspection
    extraTokenClaims: (ctx, token) => (
      { username: token.accountId || settings.mailboxes[token.clientId] }),
    features: {
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => settings.resource,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: settings.scopes.join(' '), accessTokenTTL: state.lifetime,
          audience: settings.resource, accessTokenFormat: 'opaque',
        }),
      },
    },
  };
}

// A refresh token as if somebody had signed in.
async function seed(provider, { client: clientId, user, scope }) {
  const client = await provider.Client.find(clientId);
  const grant = new provider.Grant({ accountId: user, clientId });
  grant.addOIDCScope('openid offline_access');
  grant.addResourceScope(settings.resource, settings.scopes.join(' '));
  const token = new provider.RefreshToken({
    accountId: user, client, grantId: await grant.save(), gty: 'device_code',
    scope, resource: settings.resource,
  });
  return { refresh_token: await token.save() };
}

// --- faults of the token endpoint -------------------------------------------

const isToken = (req) => req.url.split('?')[0] === `${tenant}/oauth2/v2.0/token`;

// Says how often it may be asked, as some providers do and this one does not.
async function sayInterval(ctx, next) {
  await next();
  if (ctx.path === `${tenant}/oauth2/v2.0/devicecode` && state.interval) {
    ctx.body.interval = state.interval;
  }
}

// ASKED in the body stands for what the request had in its fields.
function answerFault(fault, res, asked = '') {
  const said = [...new URLSearchParams(asked).values()].join(' ');
  res.writeHead(fault.status, { 'Content-Type': fault.type, ...fault.headers });
  res.end(fault.body.replace('ASKED', said));
}

// What the answer tells has happened by then.
function later(res, seconds) {
  const end = res.end.bind(res);
  res.end = (...said) => {
    setTimeout(() => end(...said), seconds * 1000);
    return res;
  };
}

function guarded(app) {
  return (req, res) => {
    const { fault } = state;
    if (isToken(req)) {
      res.on('finish', () => state.requests.push({ status: res.statusCode, at: Date.now() }));
    }
    if (isToken(req) && state.late) {
      later(res, state.late);
      app(req, res);
    } else if (!isToken(req) || !fault) {
      app(req, res);
    } else if (fault.hold) {
      state.held.push(() => app(req, res));
    } else if (fault.seconds) {
      setTimeout(() => (fault.status ? answerFault(fault, res) : app(req, res)),
        fault.seconds * 1000);
    } else {
      let asked = '';
      req.setEncoding('utf8');
      req.on('data', (more) => { asked += more; });
      req.on('end', () => answerFault(fault, res, asked));
    }
  };
}

// --- the test's own door ------------------------------------------------------

const listening = (server, port) => new Promise((done, failed) => {
  server.once('error', failed);
  server.listen(port, '127.0.0.1', () => done(server.address().port));
});

function actions(provider, server, port) {
  return {
    lifetime: async ({ seconds }) => { state.lifetime = seconds; },
    codeLifetime: async ({ seconds }) => { state.codeLifetime = seconds; },
    interval: async ({ seconds }) => { state.interval = seconds; },
    fault: async (fault) => {
      state.fault = fault;
      state.held.splice(0).forEach((go) => go());
    },
    held: async () => state.held.length,
    late: async ({ seconds }) => { state.late = seconds; },
    down: () => new Promise((done) => {
      server.close(() => done());
      server.closeAllConnections();
    }),
    up: async () => { if (!server.listening) await listening(server, port); },
    revoke: async () => { kept.clear(); },
    expire: async () => {
      for (const key of [...kept.keys()]) if (access.has(key.split(':')[0])) kept.delete(key);
    },
    issued: async () => state.issued,
    refresh: (wanted) => seed(provider, wanted),
    requests: async () => state.requests,
  };
}

function door(app, does) {
  return (req, res) => {
    const action = req.url.startsWith('/-/') && does[req.url.slice(3)];
    if (!action) {
      app(req, res);
      return;
    }
    let body = '';
    req.setEncoding('utf8');
    req.on('data', (more) => { body += more; });
    req.on('end', async () => {
      try {
        const said = await action(JSON.parse(body));
        res.end(JSON.stringify(said === undefined ? null : said));
      } catch (e) {
        res.writeHead(500).end(JSON.stringify(String(e.stack)));
      }
    });
  };
}

async function main() {
  const at = path.join(folder, 'node_modules', 'oidc-provider', 'lib', 'index.js');
  const { default: Provider } = await import(pathToFileURL(at));
  let app;
  const server = http.createServer(guarded((req, res) => app(req, res)));
  const port = await listening(server, 0);
  const provider = new Provider(`http://127.0.0.1:${port}`, configuration());
  provider.use(sayInterval);
  app = provider.callback();
  const inside = await listening(
    http.createServer(door(app, actions(provider, server, port))), 0);
  process.stdout.write(`${JSON.stringify({ port, inside })}\n`);
  process.stdin.on('end', () => process.exit(0)).resume();
}

main();
