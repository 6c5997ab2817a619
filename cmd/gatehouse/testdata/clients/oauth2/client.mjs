// oauth4webapi: a program that is a client of its own, from the metadata to
// the revocation of its tokens.
import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import { end, refused, setting, step } from '../steps.mjs'
import { at, call, challenged, discover, failed } from './server.mjs'

const ours = { id: setting('CLIENT_ID'), secret: setting('CLIENT_SECRET') }
const theirs = { id: setting('OTHER_ID'), secret: setting('OTHER_SECRET') }
const server = await discover('/oauth2', ours)

// shut wants a token that opens nothing any more.
async function shut(token) {
  const error = await refused(() => call(token), { ...challenged, status: 401 })
  assert.equal(error.cause[0].scheme, 'bearer')
  assert.equal(error.cause[0].parameters.error, 'invalid_token')
  assert.deepEqual(await server.introspect(token), { active: false })
}

await step('the metadata names every endpoint and what it takes', async () => {
  const { metadata } = server
  for (const name of ['token_endpoint', 'introspection_endpoint', 'revocation_endpoint', 'jwks_uri']) {
    assert.ok(metadata[name].startsWith(at('/').href), `${name} is ${metadata[name]}`)
  }
  assert.deepEqual([...metadata.grant_types_supported].sort(), ['client_credentials', 'refresh_token'])
  for (const name of ['token', 'introspection', 'revocation']) {
    const methods = metadata[`${name}_endpoint_auth_methods_supported`]
    assert.deepEqual([...methods].sort(), ['client_secret_basic', 'client_secret_post'])
  }
})

for (const [by, words] of [[oauth.ClientSecretBasic, 'Basic'], [oauth.ClientSecretPost, 'the form']]) {
  await step(`client_credentials by ${words} gives a token that opens the API`, async () => {
    const answer = await (await discover('/oauth2', { ...ours, by })).grant()
    assert.equal(answer.token_type, 'bearer')
    assert.ok(answer.expires_in > 0)
    assert.equal((await call(answer.access_token)).username, 'ann')
  })
}

await step('a token has the scopes that were asked for, and no others', async () => {
  const narrow = await server.grant({ scope: 'stock' })
  assert.equal(narrow.scope, 'stock')
  assert.equal((await call(narrow.access_token)).scopes, 'stock')
  const error = await refused(() => call(narrow.access_token, '/orders/1'), { ...challenged, status: 403 })
  assert.equal(error.cause[0].parameters.error, 'insufficient_scope')
  const whole = await server.grant()
  assert.equal((await call(whole.access_token, '/orders/1')).scopes, 'orders,stock')
})

await step('a scope that the key does not have is invalid_scope', () =>
  refused(() => server.grant({ scope: 'orders everything' }), failed('invalid_scope')))

await step('a wrong secret is invalid_client, by Basic with a challenge', async () => {
  const wrong = { ...ours, secret: 'not this one' }
  const basic = await discover('/oauth2', wrong)
  const error = await refused(() => basic.grant(), { ...challenged, status: 401 })
  assert.equal(error.cause[0].scheme, 'basic')
  assert.equal((await error.response.json()).error, 'invalid_client')
})

await step('a client that is unknown is answered like one with a wrong secret', async () => {
  const answers = []
  for (const wrong of [{ ...ours, secret: 'not this one' }, { id: '999999', secret: 'not this one' }]) {
    const one = await discover('/oauth2', wrong)
    const error = await refused(() => one.grant(), { ...challenged, status: 401 })
    answers.push(await error.response.text())
  }
  assert.equal(answers[0], answers[1])
})

await step('a grant that there is not is unsupported_grant_type', () =>
  refused(() => server.other('password', { username: 'ann', password: 'x' }), failed('unsupported_grant_type')))

await step('introspection tells about a live token', async () => {
  const answer = await server.grant({ scope: 'stock' })
  const told = await server.introspect(answer.access_token)
  assert.equal(told.active, true)
  assert.equal(told.scope, 'stock')
  assert.equal(told.client_id, ours.id)
  assert.equal(told.username, 'ann')
  assert.equal(typeof told.sub, 'string')
  assert.equal(told.exp - told.iat, answer.expires_in)
})

await step('introspection tells nothing about what is no token, or is a token of another client', async () => {
  assert.deepEqual(await server.introspect('nonsense'), { active: false })
  const { access_token } = await (await discover('/oauth2', theirs)).grant()
  assert.deepEqual(await server.introspect(access_token), { active: false })
  assert.equal((await call(access_token)).username, 'bob')
})

await step('refresh gives the next pair, and keeps the scopes', async () => {
  const first = await server.grant({ scope: 'stock' })
  const second = await server.refresh(first)
  assert.notEqual(second.access_token, first.access_token)
  assert.notEqual(second.refresh_token, first.refresh_token)
  assert.equal((await call(second.access_token)).scopes, 'stock')
  await refused(() => server.refresh(second, { scope: 'orders' }), failed('invalid_scope'))
})

await step('a refresh token that is used again is invalid_grant, and ends its family', async () => {
  const first = await server.grant()
  const second = await server.refresh(first)
  const third = await server.refresh(second)
  await refused(() => server.refresh(first), failed('invalid_grant'))
  await refused(() => server.refresh(third), failed('invalid_grant'))
  await shut(third.access_token)
})

await step('a refresh token of another client is invalid_grant', async () => {
  const first = await server.grant()
  const other = await discover('/oauth2', theirs)
  await refused(() => other.refresh(first), failed('invalid_grant'))
  assert.ok((await server.refresh(first)).access_token)
})

await step('what is no refresh token is invalid_grant', async () => {
  const { access_token } = await server.grant()
  for (const refresh_token of ['nonsense', access_token]) {
    await refused(() => server.refresh({ refresh_token }), failed('invalid_grant'))
  }
})

await step('a token that is revoked opens nothing from the next call on', async () => {
  const { access_token } = await server.grant()
  assert.ok(await call(access_token))
  await server.revoke(access_token)
  await shut(access_token)
  await server.revoke(access_token)
  await server.revoke('nonsense')
})

await step('a refresh token that is revoked takes its access token with it', async () => {
  const answer = await server.grant()
  await server.revoke(answer.refresh_token, { token_type_hint: 'refresh_token' })
  await refused(() => server.refresh(answer), failed('invalid_grant'))
  await shut(answer.access_token)
})

await step('nobody revokes the token of another client', async () => {
  const { access_token } = await server.grant()
  await (await discover('/oauth2', theirs)).revoke(access_token)
  assert.equal((await call(access_token)).username, 'ann')
})

await step('a JWT is verified by whoever has the metadata, and opens the API too', async () => {
  const jwt = await discover('https://login.example/jwt', ours)
  const { access_token } = await jwt.grant({ scope: 'stock' })
  const { aud } = JSON.parse(Buffer.from(access_token.split('.')[1], 'base64url'))
  const claims = await jwt.validate(access_token, Array.isArray(aud) ? aud[0] : aud)
  assert.equal(claims.client_id, ours.id)
  assert.equal(claims.scope, 'stock')
  assert.equal((await call(access_token)).username, 'ann')
  await jwt.revoke(access_token)
  await shut(access_token)
})

end()
