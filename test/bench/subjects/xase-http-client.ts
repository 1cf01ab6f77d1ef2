import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Layer from "effect/Layer"
import { layerHttpClient } from "../../../src/Transport.ts"
import { openOver } from "./xase-effect.ts"

/** The Effect service over Effect's `HttpClient` on undici. */
export const open = openOver(Layer.provide(layerHttpClient, NodeHttpClient.layerUndici))
