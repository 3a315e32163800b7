/** The tree of a parsed template. Every node knows its offset in the source (`at`), for error texts. */
import type { GoFunction } from './values.js'

export interface Template {
  readonly source: string
  readonly nodes: readonly Node[]
}

export type Node = TextNode | ActionNode | BranchNode | RangeNode | JumpNode

export interface TextNode { readonly kind: 'text', readonly text: string }

/** `{{ pipeline }}`: printed, unless the pipeline declares or assigns. */
export interface ActionNode { readonly kind: 'action', readonly at: number, readonly pipe: Pipe }

export interface BranchNode {
  /** `with` makes the pipeline's value the dot of its body. */
  readonly kind: 'if' | 'with'
  readonly at: number
  readonly pipe: Pipe
  readonly body: readonly Node[]
  readonly otherwise: readonly Node[]
}

export interface RangeNode {
  readonly kind: 'range'
  readonly at: number
  readonly pipe: Pipe
  readonly body: readonly Node[]
  readonly otherwise: readonly Node[]
}

export interface JumpNode { readonly kind: 'break' | 'continue', readonly at: number }

export interface Pipe {
  readonly kind: 'pipe'
  readonly at: number
  /** The variables on its left, with their `$`; none for a plain pipeline. */
  readonly variables: readonly string[]
  /** `=` instead of `:=`. */
  readonly assigns: boolean
  readonly commands: readonly Command[]
}

/** A first word and its arguments. */
export interface Command { readonly at: number, readonly first: Operand, readonly args: readonly Operand[] }

export type Operand =
  | { readonly kind: 'bool', readonly at: number, readonly value: boolean }
  | { readonly kind: 'string', readonly at: number, readonly value: string }
  /** An int literal is a `bigint`, a float literal a `number`. */
  | { readonly kind: 'number', readonly at: number, readonly value: bigint | number }
  | { readonly kind: 'nil', readonly at: number }
  | { readonly kind: 'dot', readonly at: number }
  | FieldOperand
  | { readonly kind: 'variable', readonly at: number, readonly name: string, readonly path: readonly string[] }
  /** Fields of what is in parentheses, or of a function's result. */
  | { readonly kind: 'chain', readonly at: number, readonly of: Operand, readonly path: readonly string[] }
  | { readonly kind: 'function', readonly at: number, readonly name: string, readonly function: GoFunction }
  | Pipe

/** `.a.b`: fields of the dot. */
export interface FieldOperand { readonly kind: 'field', readonly at: number, readonly path: readonly string[] }
