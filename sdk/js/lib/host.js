// What a plugin may ask of the gateway. What is not granted throws.

import blobs from "tidegate:plugin/blobs@0.1.0";
import clock from "tidegate:plugin/clock@0.1.0";
import http from "tidegate:plugin/http@0.1.0";
import kv from "tidegate:plugin/kv@0.1.0";
import log from "tidegate:plugin/log@0.1.0";
import metrics from "tidegate:plugin/metrics@0.1.0";
import model from "tidegate:plugin/model@0.1.0";
import random from "tidegate:plugin/random@0.1.0";
import secrets from "tidegate:plugin/secrets@0.1.0";

export { blobs, clock, http, kv, log, metrics, model, random, secrets };
