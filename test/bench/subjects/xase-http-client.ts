import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Layer from "effect/Layer"
import * as HttpClientTransport from "../../../src/ledger/HttpClientTransport.ts"
import { openOver } from "./xase-effect.ts"

/** The Effect service over Effect's `HttpClient` on undici. */
export const open = openOver(Layer.provide(HttpClientTransport.layer, NodeHttpClient.layerUndici))
