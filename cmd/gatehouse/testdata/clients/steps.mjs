// What a program looked at, told to clients_test.go: one line of JSON for each
// step, and one that says that the program came to its end.
import assert from 'node:assert/strict'

const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)

// step runs a look at the gateway. One that fails is told, and those after it
// are looked at all the same.
export async function step(sentence, look) {
  try {
    await look()
    tell({ step: sentence })
  } catch (error) {
    process.exitCode = 1
    tell({ step: sentence, error: error.stack ?? String(error) })
  }
}

export const end = () => tell({ end: true })

// refused calls and wants an error with these members, and these alone where
// they are objects or arrays themselves.
export async function refused(call, members) {
  let answer
  try {
    answer = await call()
  } catch (error) {
    for (const [name, want] of Object.entries(members)) {
      assert.deepEqual(error[name], want, `${name} of ${error.stack ?? JSON.stringify(error)}`)
    }
    return error
  }
  return assert.fail(`answered ${JSON.stringify(answer)}`)
}

// setting returns a variable of the environment that the test has set.
export function setting(name) {
  return process.env[name] ?? assert.fail(`${name} is not set`)
}
