// A Feathers application as its documentation builds one, over either of the
// transports that are in use.
import auth, { MemoryStorage } from '@feathersjs/authentication-client'
import { feathers } from '@feathersjs/feathers'
import rest from '@feathersjs/rest-client'
import axios from 'axios'
import { setting } from '../steps.mjs'

const transports = {
  axios: (client) => client.axios(axios),
  fetch: (client) => client.fetch(fetch)
}

// newApp returns an application that has stored nothing but this token.
export function newApp({ token, base = '', ...options } = {}) {
  const storage = new MemoryStorage()
  if (token) storage.setItem('feathers-jwt', token)
  const transport = transports[setting('TRANSPORT')]
  return feathers()
    .configure(transport(rest(setting('URL') + base)))
    .configure(auth({ storage, ...options }))
}

export const password = (username) => ({ strategy: 'local', username, password: setting('PASSWORD') })

// signedIn returns an application after its login.
export async function signedIn(username, options) {
  const app = newApp(options)
  await app.authenticate(password(username))
  return app
}

// A class of error as the Feathers client builds it from an answer.
const error = (name, code, className) => (message) =>
  ({ name, code, className, type: 'FeathersError', ...(message && { message }) })

export const badRequest = error('BadRequest', 400, 'bad-request')
export const forbidden = error('Forbidden', 403, 'forbidden')
export const methodNotAllowed = error('MethodNotAllowed', 405, 'method-not-allowed')
export const notAuthenticated = error('NotAuthenticated', 401, 'not-authenticated')
export const notFound = error('NotFound', 404, 'not-found')
export const tooManyRequests = error('TooManyRequests', 429, 'too-many-requests')
