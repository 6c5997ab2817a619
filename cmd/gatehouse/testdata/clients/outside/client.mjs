// oidc-provider, a certified OpenID Provider, as an outside issuer: its
// metadata, its key set and the tokens that it makes, as they are.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import Provider from 'oidc-provider'
import { end, setting, step } from '../steps.mjs'

console.info = console.error // the provider has notes for those who run it; ours is the standard output

const issuer = `http://127.0.0.1:${setting('ISSUER_PORT')}`
const algorithms = {
  RS256: ['rsa', { modulusLength: 2048 }],
  PS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519', {}]
}

const keys = Object.entries(algorithms).map(([alg, [type, options]]) => {
  const { privateKey } = generateKeyPairSync(type, options)
  return { ...privateKey.export({ format: 'jwk' }), kid: alg, alg, use: 'sig' }
})

// The resource says which API a token is for, its path with which algorithm
// it is signed.
const provider = new Provider(issuer, {
  jwks: { keys },
  clients: ['app', 'root'].map(id => ({
    client_id: id, client_secret: 'not a secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: []
  })),
  scopes: ['orders', 'stock'],
  extraTokenClaims: (_, token) => (token.clientId === 'root' ? { realm_access: { roles: ['admin'] } } : {}),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => {
        const format = new URL(resource).searchParams.get('format') ?? 'jwt'
        const alg = new URL(resource).searchParams.get('alg') ?? 'RS256'
        return {
          scope: 'orders stock',
          audience: new URL(resource).origin,
          accessTokenTTL: 600,
          accessTokenFormat: format,
          jwt: { sign: { alg } }
        }
      }
    }
  }
})

async function grant(resource, { scope, client = 'app' } = {}) {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${client}:not%20a%20secret`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource, ...(scope && { scope }) })
  })
  const answer = await response.json()
  assert.equal(response.status, 200, JSON.stringify(answer))
  return answer.access_token
}

async function call(token, path = '/') {
  const response = await fetch(new URL(path, setting('URL')), { headers: { authorization: `Bearer ${token}` } })
  return { status: response.status, again: response.headers.get('retry-after'), body: response.ok ? await response.json() : undefined }
}

const api = 'https://api.example/'
const encode = value => Buffer.from(JSON.stringify(value)).toString('base64url')
const unsigned = `${encode({ alg: 'RS256', kid: 'RS256', typ: 'at+jwt' })}.${encode({ iss: issuer })}.AAAA`

await step('before the issuer runs, its tokens are answered 503', async () => {
  const answer = await call(unsigned)
  assert.equal(answer.status, 503)
  assert.ok(Number(answer.again) > 0)
})

const server = provider.listen(Number(setting('ISSUER_PORT')), '127.0.0.1')
await once(server, 'listening')

await step('once it runs, its keys are found by its metadata', async () => {
  const deadline = Date.now() + 20_000
  let answer
  do {
    await new Promise(resolve => setTimeout(resolve, 100))
    answer = await call(unsigned)
  } while (answer.status === 503 && Date.now() < deadline)
  assert.equal(answer.status, 401)
})

for (const alg of Object.keys(algorithms)) {
  await step(`a token that is signed with ${alg} opens the API`, async () => {
    const { status, body } = await call(await grant(`${api}?alg=${alg}`))
    assert.equal(status, 200)
    assert.deepEqual(body, { subject: `${issuer}|app`, username: 'app', scopes: '', roles: '' })
  })
}

await step('the scopes of a token are those that count', async () => {
  const narrow = await grant(api, { scope: 'stock' })
  assert.equal((await call(narrow)).body.scopes, 'stock')
  assert.equal((await call(narrow, '/orders/1')).status, 403)
  assert.equal((await call(await grant(api, { scope: 'orders stock' }), '/orders/1')).status, 200)
})

await step('a claim within a claim gives roles', async () => {
  assert.equal((await call(await grant(api), '/admin/1')).status, 403)
  const { status, body } = await call(await grant(api, { client: 'root' }), '/admin/1')
  assert.equal(status, 200)
  assert.equal(body.roles, 'admin')
})

await step('a token for another API is refused', async () => {
  for (const other of ['https://other.example/', 'https://api.example.evil/']) {
    assert.equal((await call(await grant(other))).status, 401)
  }
})

await step('an opaque token is refused', async () => {
  assert.equal((await call(await grant(`${api}?format=opaque`))).status, 401)
})

await step('a token with another payload is refused', async () => {
  const [head, payload, signature] = (await grant(api)).split('.')
  const claims = { ...JSON.parse(Buffer.from(payload, 'base64url')), realm_access: { roles: ['admin'] } }
  assert.equal((await call([head, encode(claims), signature].join('.'), '/admin/1')).status, 401)
})

await step('a token that was verified opens the API while the issuer is down', async () => {
  const token = await grant(api)
  const later = await grant(api, { client: 'root' })
  assert.equal((await call(token)).status, 200)
  server.closeAllConnections()
  await new Promise(resolve => server.close(resolve))
  assert.equal((await call(token)).status, 200)
  assert.equal((await call(later)).status, 200)
})

end()
