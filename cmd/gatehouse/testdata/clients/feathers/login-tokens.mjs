// @feathersjs/rest-client: every method of the service login-token.
import assert from 'node:assert/strict'
import { end, refused, setting, step } from '../steps.mjs'
import { badRequest, forbidden, methodNotAllowed, newApp, notAuthenticated, notFound, signedIn } from './app.mjs'

const members = ['associateUserId', 'createdAt', 'expiresAt', 'id', 'identityProviderId', 'token', 'updatedAt']
const unknown = '00000000-0000-4000-8000-000000000000'
const date = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/
const minute = 60 * 1000

const app = await signedIn(setting('ANN'))
const me = (await app.get('authentication'))['identity-provider']
const tokens = app.service('login-token')
const ids = (answer) => answer.data.map((one) => one.id)
const later = (record, minutes) => new Date(Date.parse(record.createdAt) + minutes * minute).toISOString()
const emptied = async () => { await tokens.remove(null, { query: {} }) }

await step('create answers the whole record', async () => {
  const record = await tokens.create({})
  assert.deepEqual(Object.keys(record).sort(), members)
  assert.match(record.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.match(record.token, /^[0-9a-f]{32}$/)
  for (const name of ['createdAt', 'expiresAt', 'updatedAt']) assert.match(record[name], date)
  assert.equal(Date.parse(record.expiresAt) - Date.parse(record.createdAt), 10 * minute)
  assert.equal(record.identityProviderId, me.id)
  assert.equal(record.associateUserId, null)
})

await step('create without a body is as good as with an empty one', async () => {
  assert.match((await tokens.create()).token, /^[0-9a-f]{32}$/)
})

await step('create of an array answers an array', async () => {
  const records = await tokens.create([{}, {}, {}])
  assert.equal(new Set(records.map((one) => one.token)).size, 3)
})

await step('create with a member that is not known is BadRequest and says which', async () => {
  const error = await refused(() => tokens.create({ colour: 'red' }), badRequest('validation failed'))
  assert.equal(error.data[0].keyword, 'additionalProperties')
  assert.deepEqual(error.data[0].params, { additionalProperty: 'colour' })
})

await step('create of a date that is none is BadRequest and says where', async () => {
  const error = await refused(() => tokens.create({ expiresAt: 'tomorrow' }), badRequest('validation failed'))
  assert.equal(error.data[0].keyword, 'format')
  assert.equal(error.data[0].instancePath, '/expiresAt')
})

await step('create without a login is NotAuthenticated', () =>
  refused(() => newApp().service('login-token').create({}), notAuthenticated('Not authenticated')))

await step('create for a guest is BadRequest', async () => {
  const guest = await signedIn(setting('GUEST'))
  await refused(() => guest.service('login-token').create({}), badRequest('This can only generate a login link for a non-guest user'))
})

await step('get answers the record', async () => {
  const record = await tokens.create({})
  assert.deepEqual(await tokens.get(record.id), record)
})

await step('get of what is not there is NotFound', () =>
  refused(() => tokens.get(unknown), notFound(`No record found for id '${unknown}'`)))

await step('find answers a page of ten', async () => {
  await emptied()
  await tokens.create(Array(12).fill({}))
  const { total, limit, skip, data } = await tokens.find()
  assert.deepEqual({ total, limit, skip, found: data.length }, { total: 12, limit: 10, skip: 0, found: 10 })
})

await step('$limit and $skip page, up to a hundred at once', async () => {
  const all = await tokens.find({ query: { $limit: 1000, $sort: { id: 1 } } })
  assert.equal(all.limit, 100)
  const page = await tokens.find({ query: { $limit: 5, $skip: 10, $sort: { id: 1 } } })
  assert.deepEqual({ total: page.total, limit: page.limit, skip: page.skip }, { total: 12, limit: 5, skip: 10 })
  assert.deepEqual(ids(page), ids(all).slice(10))
  assert.deepEqual(await tokens.find({ query: { $limit: 0 } }), { total: 12, limit: 0, skip: 0, data: [] })
})

await step('$sort puts them in order', async () => {
  const up = ids(await tokens.find({ query: { $limit: 100, $sort: { id: 1 } } }))
  const down = ids(await tokens.find({ query: { $limit: 100, $sort: { id: -1 } } }))
  assert.deepEqual(up, [...up].sort())
  assert.deepEqual(down, [...up].reverse())
})

await step('$select gives these members and no others', async () => {
  const { data } = await tokens.find({ query: { $limit: 1, $select: ['id', 'expiresAt'] } })
  assert.deepEqual(Object.keys(data[0]).sort(), ['expiresAt', 'id'])
})

await step('a member, $in, $nin, $ne and $or choose by id', async () => {
  const all = ids(await tokens.find({ query: { $limit: 100, $sort: { id: 1 } } }))
  const chosen = async (query) => ids(await tokens.find({ query: { $limit: 100, $sort: { id: 1 }, ...query } }))
  assert.deepEqual(await chosen({ id: all[3] }), [all[3]])
  assert.deepEqual(await chosen({ id: { $in: [all[1], all[2], unknown] } }), [all[1], all[2]])
  assert.deepEqual(await chosen({ id: { $nin: [all[0], all[11]] } }), all.slice(1, 11))
  assert.deepEqual(await chosen({ id: { $ne: all[0] } }), all.slice(1))
  assert.deepEqual(await chosen({ $or: [{ id: all[0] }, { id: all[5] }] }), [all[0], all[5]])
  assert.deepEqual(await chosen({ id: all[0], $or: [{ id: all[5] }] }), [])
})

await step('$lt, $lte, $gt and $gte choose by date', async () => {
  await emptied()
  const [first, second, third] = await tokens.create([{}, {}, {}])
  for (const [record, minutes] of [[first, 20], [second, 30], [third, 40]]) {
    await tokens.patch(record.id, { expiresAt: later(record, minutes) })
  }
  const at = (await tokens.get(second.id)).expiresAt
  const chosen = async (operator) => ids(await tokens.find({ query: { expiresAt: { [operator]: at }, $sort: { expiresAt: 1 } } }))
  assert.deepEqual(await chosen('$lt'), [first.id])
  assert.deepEqual(await chosen('$lte'), [first.id, second.id])
  assert.deepEqual(await chosen('$gt'), [third.id])
  assert.deepEqual(await chosen('$gte'), [second.id, third.id])
})

await step('a login token is found by the token itself', async () => {
  const record = await tokens.create({})
  const { data } = await tokens.find({ query: { token: record.token } })
  assert.deepEqual(data, [record])
})

for (const [what, query] of [
  ['an operator', { expiresAt: { $regex: '.' } }],
  ['a member', { colour: 'red' }],
  ['an order by token', { $sort: { token: 1 } }]
]) {
  await step(`${what} that is not known to find is BadRequest`, () => refused(() => tokens.find({ query }), badRequest()))
}

await step('patch by id answers the record as it is now', async () => {
  const record = await tokens.create({})
  const expiresAt = later(record, 15)
  const patched = await tokens.patch(record.id, { expiresAt })
  assert.deepEqual(patched, { ...record, expiresAt, updatedAt: patched.updatedAt })
  assert.deepEqual(await tokens.get(record.id), patched)
})

await step('patch by query answers an array of those that it changed', async () => {
  await emptied()
  const [first, second] = await tokens.create([{}, {}])
  const expiresAt = later(first, 16)
  const patched = await tokens.patch(null, { expiresAt }, { query: { id: first.id } })
  assert.deepEqual(patched.map((one) => [one.id, one.expiresAt]), [[first.id, expiresAt]])
  assert.deepEqual(await tokens.get(second.id), second)
  assert.deepEqual(await tokens.patch(null, { expiresAt }, { query: { id: unknown } }), [])
})

await step('patch takes the filter of the reference page', async () => {
  const record = await tokens.create({})
  const expiresAt = later(record, 17)
  const filter = JSON.stringify({ id: record.id, token: record.token })
  const patched = await tokens.patch(null, { id: '', token: '', identityProviderId: '', expiresAt, createdAt: '', updatedAt: '' }, { query: { filter } })
  assert.deepEqual(patched.map((one) => [one.id, one.expiresAt]), [[record.id, expiresAt]])
})

await step('patch past the longest life is BadRequest', async () => {
  const record = await tokens.create({})
  await refused(() => tokens.patch(record.id, { expiresAt: later(record, 24 * 60 + 1) }), badRequest())
})

await step('patch that hands a login to another account is Forbidden', async () => {
  const record = await tokens.create({})
  await refused(() => tokens.patch(record.id, { associateUserId: unknown }), forbidden())
  assert.equal((await tokens.patch(record.id, { associateUserId: me.userId })).associateUserId, me.userId)
})

await step('patch of what is not there is NotFound', () =>
  refused(() => tokens.patch(unknown, {}), notFound(`No record found for id '${unknown}'`)))

await step('update is MethodNotAllowed', async () => {
  const record = await tokens.create({})
  await refused(() => tokens.update(record.id, record), methodNotAllowed('Method `update` is not supported by this endpoint.'))
})

await step('remove by id answers the record, once', async () => {
  const record = await tokens.create({})
  assert.deepEqual(await tokens.remove(record.id), record)
  await refused(() => tokens.remove(record.id), notFound(`No record found for id '${record.id}'`))
})

await step('remove by query answers an array', async () => {
  await emptied()
  const [first, second] = await tokens.create([{}, {}])
  assert.deepEqual(await tokens.remove(null, { query: { id: first.id } }), [first])
  assert.deepEqual(ids(await tokens.find()), [second.id])
})

await step('nobody but an administrator sees the login tokens of others', async () => {
  const record = await tokens.create({})
  const other = (await signedIn(setting('VICTIM'))).service('login-token')
  await refused(() => other.get(record.id), notFound())
  await refused(() => other.patch(record.id, {}), notFound())
  await refused(() => other.remove(record.id), notFound())
  assert.equal((await other.find({ query: { id: record.id } })).total, 0)
  const admin = (await signedIn(setting('ADMIN'))).service('login-token')
  assert.deepEqual(await admin.get(record.id), record)
})

await step('a login token logs in once', async () => {
  const { id, token } = await tokens.create({})
  const browser = newApp()
  const redeem = () => browser.service('login').get(id, { query: { token } })
  const { token: accessToken } = await redeem()
  const result = await browser.authenticate({ strategy: 'jwt', accessToken })
  assert.equal(result['identity-provider'].userId, me.userId)
  assert.deepEqual(await redeem(), { error: 'Invalid login token' })
})

await step('the older link, which has the token alone, logs in once too', async () => {
  const { token } = await tokens.create({})
  const redeem = () => newApp().service('login').get(token)
  const result = await newApp().authenticate({ strategy: 'jwt', accessToken: (await redeem()).token })
  assert.equal(result['identity-provider'].userId, me.userId)
  assert.deepEqual(await redeem(), { error: 'Invalid login token' })
})

await step('a login token past its time says so, once', async () => {
  const { id, token, createdAt } = await tokens.create({})
  await tokens.patch(id, { expiresAt: createdAt })
  const redeem = () => newApp().service('login').get(id, { query: { token } })
  assert.deepEqual(await redeem(), { error: 'Login link has expired' })
  assert.deepEqual(await redeem(), { error: 'Invalid login token' })
  await refused(() => tokens.get(id), notFound())
})

await step('of many who redeem one login token one logs in', async () => {
  const { id, token } = await tokens.create({})
  const redeem = () => newApp().service('login').get(id, { query: { token } })
  const answers = await Promise.all(Array.from({ length: 20 }, redeem))
  assert.equal(answers.filter((one) => one.token).length, 1)
})

await step('with create alone every other method is MethodNotAllowed, whoever asks', async () => {
  const strict = newApp({ base: '/strict' }).service('login-token')
  const calls = {
    find: () => strict.find(),
    get: () => strict.get(unknown),
    patch: () => strict.patch(unknown, {}),
    remove: () => strict.remove(unknown),
    update: () => strict.update(unknown, {})
  }
  for (const [method, call] of Object.entries(calls)) {
    await refused(call, methodNotAllowed(`Method \`${method}\` is not supported by this endpoint.`))
  }
  const able = await signedIn(setting('ANN'), { base: '/strict' })
  assert.match((await able.service('login-token').create({})).token, /^[0-9a-f]{32}$/)
})

await emptied()
end()
