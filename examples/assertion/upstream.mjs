// An upstream that believes the gateway's assertions and nothing else: it
// answers 401 to whatever did not come through the gateway. Nothing from npm.
import { createPublicKey, verify } from 'node:crypto'
import { createServer } from 'node:http'

const port = process.env.UPSTREAM_PORT || '8081'
const jwks = `http://localhost:${process.env.PORT || '8080'}/.well-known/jwks.json`
const issuer = 'gatehouse:default'
const audience = 'orders'
const maxLength = 8192
const maxLife = 60 // seconds
const leeway = 5 // seconds, for clocks that differ
const pause = 5000 // milliseconds between two fetches
const age = 600000 // milliseconds after which a key that the gateway removed is refused

let keys = new Map()
let tried = -Infinity
let fetched = -Infinity
let failed
let fetching

// Why nothing can be said of an assertion, told apart from a bad one.
class OutOfReach extends Error {}

async function fetchKeys () {
  tried = performance.now()
  try {
    const answer = await fetch(jwks, { redirect: 'error', signal: AbortSignal.timeout(5000) })
    if (!answer.ok) throw new Error(`the gateway answered ${answer.status}`)
    const set = await answer.json()
    keys = new Map(set.keys
      .filter(k => k.kty === 'OKP' && k.crv === 'Ed25519' && k.alg === 'EdDSA')
      .map(k => [k.kid, createPublicKey({ key: k, format: 'jwk' })]))
    fetched = performance.now()
    failed = undefined
  } catch (err) { // keys that are known go on being good
    failed = err
  }
  fetching = undefined
}

async function keyOf (kid) {
  const now = performance.now()
  if ((!keys.has(kid) || now - fetched >= age) && now - tried >= pause) fetching ??= fetchKeys() // one at a time
  if (!keys.has(kid)) await fetching
  if (!keys.has(kid) && failed) throw new OutOfReach(failed.message)
  return keys.get(kid)
}

// claimsOf returns what the assertion of a request says, undefined where it is
// not good for this request.
async function claimsOf (request) {
  // Duplicates are joined by node in request.headers: rawHeaders has them apart.
  const values = request.rawHeaders.filter((_, i, all) => i % 2 === 1 && all[i - 1].toLowerCase() === 'x-auth-assertion')
  if (values.length !== 1 || values[0].length > maxLength) return
  const segments = values[0].split('.')
  if (segments.length !== 3 || !segments.every(s => /^[\w-]+$/.test(s))) return
  const [head, payload, signature] = segments.map(s => Buffer.from(s, 'base64url'))
  const { alg, kid, typ } = JSON.parse(head)
  if (alg !== 'EdDSA' || typ !== 'gatehouse-assertion+jwt') return
  const key = await keyOf(kid)
  if (!key || !verify(null, Buffer.from(`${segments[0]}.${segments[1]}`), key, signature)) return
  const c = JSON.parse(payload)
  const now = Math.floor(Date.now() / 1000)
  const good = c.iss === issuer && [c.aud].flat().includes(audience) && c.sub &&
    c.exp > c.iat && c.exp <= c.iat + maxLife && now >= c.iat - leeway && now < c.exp + leeway &&
    c.htm === request.method && c.host === request.headers.host?.toLowerCase() && c.path === request.url.split('?')[0]
  return good ? c : undefined
}

async function answer (request, response) {
  let claims
  try {
    claims = await claimsOf(request)
  } catch (err) { // what is no JSON is no assertion
    response.statusCode = err instanceof OutOfReach ? 503 : 401
    return response.end('no good assertion\n')
  }
  if (!claims) {
    response.statusCode = 401
    return response.end('no good assertion\n')
  }
  response.setHeader('Content-Type', 'text/plain; charset=utf-8')
  response.end(`${request.method} ${claims.path} for ${claims.username} with ${claims.credential}\n`)
}

createServer(answer).listen(port, 'localhost', () => console.log('ready'))
