// oauth4webapi against one authorization server: each call as its examples
// make it, and what a program does between them. It stands for the many
// clients that build on it (openid-client is one), has no dependencies of its
// own, and takes an answer for nothing that the RFCs do not call so.
import { webcrypto } from 'node:crypto'
import * as oauth from 'oauth4webapi'
import { setting } from '../steps.mjs'

// Node 18, which Debian 12 has, knows it under its own name only.
globalThis.crypto ??= webcrypto

export const at = (path) => new URL(path, setting('URL'))

// The gateway is reached on this machine alone, without TLS, whatever name an
// issuer has.
const here = {
  [oauth.allowInsecureRequests]: true,
  [oauth.customFetch]: (url, options) => fetch(at(new URL(url).pathname), options)
}

// discover returns a client's view of the server with this issuer.
export async function discover(name, { id, secret, by = oauth.ClientSecretBasic }) {
  const issuer = at(name)
  const answer = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...here })
  const metadata = await oauth.processDiscoveryResponse(issuer, answer)
  return new Server(metadata, { client_id: id }, by(secret))
}

class Server {
  constructor(metadata, client, authentication) {
    this.metadata = metadata
    this.client = client
    this.who = [metadata, client, authentication]
  }

  async grant(parameters = {}) {
    const answer = await oauth.clientCredentialsGrantRequest(...this.who, new URLSearchParams(parameters), here)
    return oauth.processClientCredentialsResponse(this.metadata, this.client, answer)
  }

  async refresh({ refresh_token }, parameters = {}) {
    const answer = await oauth.refreshTokenGrantRequest(...this.who, refresh_token, { additionalParameters: parameters, ...here })
    return oauth.processRefreshTokenResponse(this.metadata, this.client, answer)
  }

  async other(grantType, parameters = {}) {
    const answer = await oauth.genericTokenEndpointRequest(...this.who, grantType, new URLSearchParams(parameters), here)
    return oauth.processGenericTokenEndpointResponse(this.metadata, this.client, answer)
  }

  async introspect(token, parameters = {}) {
    const answer = await oauth.introspectionRequest(...this.who, token, { additionalParameters: parameters, ...here })
    return oauth.processIntrospectionResponse(this.metadata, this.client, answer)
  }

  async revoke(token, parameters = {}) {
    const answer = await oauth.revocationRequest(...this.who, token, { additionalParameters: parameters, ...here })
    return oauth.processRevocationResponse(answer)
  }

  // validate is what an API does that verifies JWTs itself (RFC 9068).
  validate(token, audience) {
    const request = new Request(at('/'), { headers: { authorization: `Bearer ${token}` } })
    return oauth.validateJwtAccessToken(this.metadata, request, audience, here)
  }
}

// call makes a call of the API behind the gateway.
export async function call(token, path = '/') {
  const answer = await oauth.protectedResourceRequest(token, 'GET', at(path), undefined, undefined, here)
  return answer.json()
}

// An error of RFC 6749 section 5.2, as the client reads it from a body.
export const failed = (error, status = 400) => ({ code: oauth.RESPONSE_BODY_ERROR, error, status })

// A challenge of RFC 6750 or RFC 7617, as the client reads it from the header.
export const challenged = { code: oauth.WWW_AUTHENTICATE_CHALLENGE }
