/** How a flow's form changes: always as a new flow, for one method at a time (contract 3.5). */
import type { Flow, FlowForm, JsonValue, Method, Problem } from '../store/records.js'

/** Bytes that a flow keeps of what was typed, and of what was wrong with it, as JSON: both are whatever a stranger sends (security D11). */
const valueBytes = 16_384
const problemBytes = 8192

/**
 * The flow with one method's form replaced: earlier values and problems of that method are gone, other methods stay. What
 * is too much to keep is left out, the last first.
 */
export function withForm(flow: Flow, method: Method, problems: readonly Problem[], values: { readonly [field: string]: JsonValue } = {}): Flow {
  const form: FlowForm = { problems: fitting(problems, problemBytes), values: Object.fromEntries(fitting(Object.entries(values), valueBytes)) }
  return { ...flow, forms: { ...flow.forms, [method]: form } }
}

/** The flow with the same problem on the form of every method, such as "your session expired". */
export function withProblemEverywhere(flow: Flow, methods: readonly Method[], problem: Problem): Flow {
  return methods.reduce((changed, method) => withForm(changed, method, [problem]), flow)
}

/** The items up to the first that does not fit any more. */
function fitting<Item>(items: readonly Item[], bytes: number): Item[] {
  let used = 0
  const tooMuch = items.findIndex(item => (used += Buffer.byteLength(JSON.stringify(item))) > bytes)
  return items.slice(0, tooMuch === -1 ? undefined : tooMuch)
}
