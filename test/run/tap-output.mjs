/** Reads what tap prints (TAP version 14) and keeps what people ask afterwards: how many assertions held, and why the others did not. */
import { createInterface } from 'node:readline'

/**
 * @typedef {{ path: string[], diagnostics: string[] }} Failure `path`: file, tests around it, assertion.
 * @typedef {{ file: string, ok: boolean, passed: number, failures: Failure[], milliseconds: number }} FileResult
 * @typedef {{ passed: number, skipped: string[], failures: Failure[] }} TapResult
 *
 * Counts assertions, not the test points that only sum up a subtest. A test or file that fails although every assertion in it
 * holds (it crashed, ended early, has no test) counts as one failure.
 * @param {import('node:stream').Readable} stream
 * @param {(file: FileResult) => void} onFile Called as each file ends.
 * @param {(text: string, path: string[]) => void} [onComment] Called with what tests say besides; `path`: file and tests that it was said in.
 * @returns {Promise<TapResult>}
 */
export async function readTap(stream, onFile, onComment) {
  /** @type {TapResult} */
  const result = { passed: 0, skipped: [], failures: [] }
  /** @type {{ name: string, indent: number, passedBefore: number, failuresBefore: number }[]} The subtests we are inside of. */
  const open = []
  /** @type {Failure | undefined} */
  let latest
  let diagnosticsEnd = ''
  /** @type {FileResult | undefined} Told when the diagnostics that may follow it have been read. */
  let endedFile

  for await (const line of createInterface({ input: stream })) {
    if (diagnosticsEnd) {
      if (line === diagnosticsEnd) diagnosticsEnd = ''
      else latest?.diagnostics.push(line.slice(diagnosticsEnd.length - 3))
      continue
    }
    const [, spaces = '', text = ''] = /^( *)(.*)$/s.exec(line) ?? []
    const indent = spaces.length
    if (text === '---') {
      diagnosticsEnd = `${spaces}...`
      continue
    }
    tellOfFile()
    const subtest = /^# Subtest: (.*)$/.exec(text)
    if (subtest) {
      open.push({ name: unescaped(subtest[1]), indent, passedBefore: result.passed, failuresBefore: result.failures.length })
      continue
    }
    if (text.startsWith('# ')) onComment?.(text.slice(2), open.filter(subtest => subtest.indent < indent).map(subtest => subtest.name))
    const point = /^(not )?ok\b(?: \d+)?(?: - )?(.*?)(?:(?<!\\) # (SKIP|TODO|time=)(.*))?$/i.exec(text)
    if (point) latest = readPoint(point, indent)
  }
  tellOfFile()
  return result

  /**
   * @param {RegExpExecArray} point
   * @param {number} indent
   */
  function readPoint([, not, name, directive, rest], indent) {
    const ok = not === undefined
    // What crashed inside leaves its subtests open.
    while ((open.at(-1)?.indent ?? 0) > indent) open.pop()
    const closed = open.at(-1)?.indent === indent ? open.pop() : undefined
    const path = [...open.map(subtest => subtest.name), unescaped(name)]
    if (directive === 'SKIP' || directive === 'TODO') {
      result.skipped.push(`${path.join(' › ')}: ${rest?.trim() || directive.toLowerCase()}`)
      return undefined
    }

    const failedInside = closed !== undefined && result.failures.length > closed.failuresBefore
    if (ok && !closed) result.passed += 1
    const failure = ok || failedInside ? undefined : { path, diagnostics: [] }
    if (failure) result.failures.push(failure)
    if (closed && indent === 0) {
      const { name: file, passedBefore, failuresBefore } = closed
      endedFile = {
        file, ok, passed: result.passed - passedBefore, failures: result.failures.slice(failuresBefore), milliseconds: Number.parseFloat(rest ?? ''),
      }
    }
    return failure
  }

  function tellOfFile() {
    if (endedFile) onFile(endedFile)
    endedFile = undefined
  }
}

/** @param {string | undefined} name */
function unescaped(name = '') {
  return name.replace(/\\([#\\])/g, '$1')
}
