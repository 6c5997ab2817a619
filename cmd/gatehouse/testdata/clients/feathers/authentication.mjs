// @feathersjs/authentication-client: how an application logs in and out.
import assert from 'node:assert/strict'
import { end, refused, setting, step } from '../steps.mjs'
import { forbidden, newApp, notAuthenticated, password, signedIn, tooManyRequests } from './app.mjs'

const ann = setting('ANN')
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

// forgot wants an application that holds no token any more.
async function forgot(app) {
  assert.equal(await app.authentication.getAccessToken(), null)
  assert.equal(app.get('authentication'), null)
  assert.equal(app.authentication.authenticated, false)
}

// damaged returns a JWT whose signature is another.
function damaged(token) {
  const at = token.lastIndexOf('.') + 1
  return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
}

await step('an account logs in with its username and password', async () => {
  const app = newApp()
  const result = await app.authenticate(password(ann))
  const { strategy, accessToken, payload } = result.authentication
  assert.equal(strategy, 'local')
  assert.equal(accessToken, result.accessToken)
  const identity = result['identity-provider']
  assert.match(identity.id, uuid)
  assert.match(identity.userId, uuid)
  assert.equal(typeof identity.type, 'string')
  assert.equal(payload.sub, identity.id)
  assert.equal(payload.exp - payload.iat, 30 * 24 * 60 * 60)
  assert.equal(typeof payload.jti, 'string')
  const claims = JSON.parse(Buffer.from(accessToken.split('.')[1], 'base64url'))
  assert.deepEqual({ ...claims, ...payload }, claims)
  assert.equal(await app.authentication.getAccessToken(), accessToken)
})

await step('its email stands in for the username', async () => {
  const app = newApp()
  await app.authenticate({ strategy: 'local', email: `${ann}@example.com`, password: setting('PASSWORD') })
  assert.equal((await app.service('messages').find()).username, ann)
})

await step('the token that was issued authenticates the next start of the application', async () => {
  const first = await signedIn(ann)
  const token = await first.authentication.getAccessToken()
  const next = newApp({ token })
  const result = await next.reAuthenticate()
  assert.equal(result.authentication.strategy, 'jwt')
  assert.deepEqual(result['identity-provider'], (await first.get('authentication'))['identity-provider'])
  assert.equal((await next.service('login-token').find()).total, 0)
})

for (const [username, who] of [[ann, 'a wrong password'], ['nobody', 'an unknown account']]) {
  await step(`${who} is NotAuthenticated, and the application forgets the token it had`, async () => {
    const app = await signedIn(ann)
    await refused(() => app.authenticate({ ...password(username), password: 'not this one' }), notAuthenticated('Invalid login'))
    await forgot(app)
  })
}

await step('a strategy that is left out is NotAuthenticated', () =>
  refused(() => newApp().authenticate({ accessToken: 'x' }), notAuthenticated('Invalid authentication information (no `strategy` set)')))

await step('the strategy jwt without a token is NotAuthenticated', () =>
  refused(() => newApp().authenticate({ strategy: 'jwt' }), notAuthenticated('No access token')))

await step('what is no token is NotAuthenticated with the name of the fault, and forgotten', async () => {
  const app = newApp({ token: 'nonsense' })
  const error = await refused(() => app.reAuthenticate(), notAuthenticated('jwt malformed'))
  assert.equal(error.data.name, 'JsonWebTokenError')
  await forgot(app)
})

await step('a token with another signature is NotAuthenticated, and forgotten', async () => {
  const app = await signedIn(ann)
  app.authentication.setAccessToken(damaged(await app.authentication.getAccessToken()))
  const error = await refused(() => app.reAuthenticate(true), notAuthenticated('invalid signature'))
  assert.equal(error.data.name, 'JsonWebTokenError')
  await forgot(app)
})

await step('a token that is past its time is NotAuthenticated, and the application is told since when', async () => {
  const app = await signedIn(ann, { base: '/brief' })
  const { payload } = (await app.get('authentication')).authentication
  assert.ok(payload.exp - payload.iat <= 1)
  while (Date.now() <= payload.exp * 1000) await new Promise((later) => setTimeout(later, 20))
  const error = await refused(() => app.reAuthenticate(true), notAuthenticated('jwt expired'))
  assert.equal(error.data.name, 'TokenExpiredError')
  assert.equal(Date.parse(error.data.expiredAt), payload.exp * 1000)
  await forgot(app)
})

await step('a service behind the gateway is told who calls', async () => {
  const app = await signedIn(ann)
  assert.deepEqual(await app.service('messages').find(), { method: 'GET', username: ann })
  assert.deepEqual(await app.service('messages').create({ text: 'hello' }), { method: 'POST', username: ann })
})

await step('the scheme of old applications, JWT, is as good as Bearer', async () => {
  const app = await signedIn(ann, { scheme: 'JWT' })
  assert.equal((await app.service('login-token').find()).total, 0)
  assert.equal((await app.service('messages').find()).username, ann)
})

await step('an API key stands in for a login', async () => {
  const headers = { Authorization: `Bearer ${setting('KEY')}` }
  const tokens = newApp().service('login-token')
  const { id } = await tokens.create({}, { headers })
  assert.equal((await tokens.remove(id, { headers })).id, id)
  assert.equal((await newApp().service('messages').find({ headers })).username, ann)
})

await step('a service behind the gateway is closed to those who did not log in', () =>
  refused(() => newApp().service('messages').find(), notAuthenticated()))

await step('a service for administrators is Forbidden to others', async () => {
  const app = await signedIn(ann)
  await refused(() => app.service('admin/users').find(), forbidden())
  assert.ok(await app.authentication.getAccessToken())
})

await step('after logout nobody gets in with the token', async () => {
  const app = await signedIn(ann)
  const token = await app.authentication.getAccessToken()
  const result = await app.logout()
  assert.equal(result.accessToken, token)
  await forgot(app)
  await refused(() => app.service('login-token').find(), notAuthenticated('Not authenticated'))
  const thief = newApp({ token })
  await refused(() => thief.reAuthenticate(), notAuthenticated())
  await forgot(thief)
})

await step('too many wrong passwords are TooManyRequests, and the application keeps its token', async () => {
  const victim = setting('VICTIM')
  const app = await signedIn(victim)
  const token = await app.authentication.getAccessToken()
  const wrong = { ...password(victim), password: 'not this one' }
  for (let i = 0; i < 5; i++) await refused(() => newApp().authenticate(wrong), notAuthenticated('Invalid login'))
  await refused(() => app.authenticate(wrong), tooManyRequests())
  assert.equal(await app.authentication.getAccessToken(), token)
})

end()
