/** How a flow's form changes: always as a new flow, for one method at a time (contract 3.5). */
import type { Flow, FlowForm, JsonValue, Method, Problem } from '../store/records.js'

/** The flow with one method's form replaced: earlier values and problems of that method are gone, other methods stay. */
export function withForm(flow: Flow, method: Method, problems: readonly Problem[], values: { readonly [field: string]: JsonValue } = {}): Flow {
  const form: FlowForm = { problems, values }
  return { ...flow, forms: { ...flow.forms, [method]: form } }
}

/** The flow with the same problem on the form of every method, such as "your session expired". */
export function withProblemEverywhere(flow: Flow, methods: readonly Method[], problem: Problem): Flow {
  return methods.reduce((changed, method) => withForm(changed, method, [problem]), flow)
}
