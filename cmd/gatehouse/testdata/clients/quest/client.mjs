// @questlabs/core: every call of its EntityAuthenticationToken, and what it
// does with the token afterwards.
import assert from 'node:assert/strict'
import quest from '@questlabs/core'
import { end, setting, step } from '../steps.mjs'

const { default: QuestSdk, Core } = quest
const entity = setting('ENTITY')

// newSdk returns an SDK as a server makes one, pointed at the gateway. It
// knows two addresses of its own and none else, so that one is put in place.
function newSdk({ apiKey = setting('KEY'), entityId = entity, userId = 'ann', token = setting('ANN_TOKEN'), ...more } = {}) {
  const sdk = new QuestSdk({ apiKey, entityId, userAgent: 'SERVER', ...more })
  sdk.baseUrl = `${setting('URL')}/api`
  if (userId) sdk.setUser({ userId, token })
  return sdk
}

const tokens = (options) => new Core.EntityAuthenticationToken(newSdk(options))
const asked = (sdk) => sdk.makeRequest({ url: '/badges', method: 'GET' })
const ours = tokens()

// current returns the token that there is.
async function current() {
  await ours.createToken()
  return (await ours.getToken({ requestOrigin: 'https://shop.example' })).authenticationToken
}

// no wants the SDK to hand over a refusal: it throws for none that has a body.
async function no(call, more = {}) {
  const { success, error, ...rest } = await call()
  assert.equal(success, false)
  assert.ok(typeof error === 'string' && error !== '', 'an error is text')
  assert.deepEqual(rest, more)
}

const opens = async (token, userId = 'ann') => {
  const answer = await asked(newSdk({ userId: '', entityAuthenticationToken: token }))
  assert.deepEqual(answer, { success: true, username: userId, tenant: setting('ENTITY_ID') })
}
const shut = (token) => no(() => asked(newSdk({ userId: '', entityAuthenticationToken: token })))

await step('there is no token before one is created', () => no(() => ours.getToken({ requestOrigin: 'https://shop.example' })))

await step('a token that is created is given back, the same one each time', async () => {
  assert.equal((await ours.createToken()).success, true)
  const first = await ours.getToken({ requestOrigin: 'https://shop.example' })
  assert.equal(first.success, true)
  assert.ok(first.authenticationToken.length >= 22)
  assert.equal((await ours.createToken()).success, true)
  assert.deepEqual(await ours.getToken({ requestOrigin: 'https://shop.example' }), first)
})

await step('the token stands in for the user on the API behind the gateway', async () => opens(await current()))

await step('the user and the user token open that API too', async () => {
  const { username } = await new Core.Badge(newSdk()).getAllBadgesForUser()
  assert.equal(username, 'ann')
})

await step('the other calls about an entity go to that API, with either credential', async () => {
  const badges = (options) => new Core.Badge(newSdk(options)).getAllBadgesForEntity()
  assert.equal((await badges()).username, 'ann')
  assert.equal((await badges({ userId: '', entityAuthenticationToken: await current() })).username, 'ann')
  await no(() => badges({ userId: '' }))
})

await step('the token alone, without the key, opens nothing', async () => {
  const token = await current()
  await no(() => asked(newSdk({ userId: '', apiKey: 'not a key', entityAuthenticationToken: token })))
})

await step('a token gets flags and another end', async () => {
  const token = await current()
  const expiry = new Date(Date.now() + 60 * 60 * 1000).toISOString()
  assert.equal((await ours.updateToken({ flags: ['beta', 'eu'], expiry })).success, true)
  await opens(token)
})

await step('an end in the past ends the token, and the next one is another', async () => {
  const token = await current()
  assert.equal((await ours.updateToken({ flags: [], expiry: '2020-01-01T00:00:00+02:00' })).success, true)
  await no(() => ours.getToken({ requestOrigin: 'https://shop.example' }))
  await shut(token)
  assert.notEqual(await current(), token)
})

await step('an end that is no date is refused', async () => {
  await current()
  await no(() => ours.updateToken({ flags: [], expiry: 'tomorrow' }))
})

await step('refresh gives another token, and the old one opens nothing', async () => {
  const token = await current()
  assert.equal((await ours.refreshToken({ authenticationToken: token })).success, true)
  const next = await current()
  assert.notEqual(next, token)
  await shut(token)
  await opens(next)
})

await step('refresh of an old token is refused, and the current one stays', async () => {
  const old = await current()
  await ours.refreshToken({ authenticationToken: old })
  const token = await current()
  await no(() => ours.refreshToken({ authenticationToken: old }))
  assert.equal(await current(), token)
})

await step('refresh takes the token that the SDK was made with', async () => {
  const token = await current()
  const able = tokens({ entityAuthenticationToken: token })
  assert.equal((await able.refreshToken()).success, true)
  assert.notEqual(await current(), token)
})

await step('of many refreshes of one token one succeeds', async () => {
  const authenticationToken = await current()
  const answers = await Promise.all(Array.from({ length: 20 }, () => ours.refreshToken({ authenticationToken })))
  assert.equal(answers.filter((one) => one.success).length, 1)
})

await step('a deleted token opens nothing, and is deleted once', async () => {
  const token = await current()
  assert.equal((await ours.deleteToken()).success, true)
  await shut(token)
  await no(() => ours.deleteToken())
})

await step('the entity and the user go by their ids as well as by their names', async () => {
  const byId = tokens({ entityId: setting('ENTITY_ID'), userId: setting('ANN_ID') })
  const token = await current()
  assert.equal((await byId.getToken({ requestOrigin: 'https://shop.example' })).authenticationToken, token)
})

for (const [what, options] of [
  ['a wrong key', { apiKey: 'not a key' }],
  ['a wrong user token', { token: 'not a token' }],
  ["another user's name", { userId: 'bob' }],
  ['an entity of others', { entityId: setting('OTHER_ENTITY') }]
]) {
  await step(`${what} is refused`, () => no(() => tokens(options).createToken()))
}

await step('a user token past its time says so', async () => {
  await new Promise((later) => setTimeout(later, Math.max(0, Date.parse(setting('OLD_EXPIRES')) - Date.now() + 100)))
  await no(() => tokens({ token: setting('OLD_TOKEN') }).createToken(), { userTokenExpired: true, loginAgain: true })
})

await step('only an administrator of the entity makes tokens for others', async () => {
  const path = `/entities/${entity}/users/ann/authentication-token`
  const create = (options) => newSdk(options).makeRequest({ url: path, method: 'POST' })
  await no(() => create({ userId: 'bob', token: setting('BOB_TOKEN') }))
  assert.equal((await create({ userId: 'admin', token: setting('ADMIN_TOKEN') })).success, true)
})

end()
