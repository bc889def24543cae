/* signer-keys.h - keys for the tests of the signer */
#ifndef TESTS_SIGNER_KEYS_H
#define TESTS_SIGNER_KEYS_H

#include "mail/signer.h"
#include "unit.h"

/* RFC 8463 appendix A.2: its key, as PKCS#8, and its public half */
#define ED_PEM "-----BEGIN PRIVATE KEY-----\n" \
	"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n" \
	"-----END PRIVATE KEY-----\n"
#define ED_P "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

static const char rsa_pem[] =		/* 1024 bits, PKCS#1 */
	"-----BEGIN RSA PRIVATE KEY-----\n"
	"MIICXAIBAAKBgQC6wiugIib5kdW2ose3SoQL1qwzX4ToiumyjjpxvSBy51d2U7Y6\n"
	"E423GYaS1szwa2Wa2yNfwd7l4R6D8C2jqoW9TBPaX/jVLlx/u+u/wvySs6B7jyo0\n"
	"e/SXjs5MTDKu1kCd4GS00aH4aFp7G/7csk5q3OqIAP1l04XPX3R+oc7ouwIDAQAB\n"
	"AoGAb+RfwNxVX5dZZMgYQh+6B2HB4DGtbqmzpJAEQhre8xjZ1QIInrkSYg5AC3/4\n"
	"X17pDCOZCQkdo7sBzmi632EOKLn4LqHyBsH0PWyRsWXLlEQPF3Y+yWoAtzyuRPsb\n"
	"pS7mV/UNVhhxIJifN343IDDW0FddkOvcrCmYiuYKfbJv8RECQQDvMiEP+yGnhXwW\n"
	"lQgdcztRPvJElggql5T9l/j78gAq0PQYfs4JcbTv3YJ2vMPdDY456LbLt+DFlEJg\n"
	"rHqZEiqjAkEAx+D4XViGJ9IBK2lCiObUEJgi4EdBNWl+bzHyQ4dIiI7u4AhONqvv\n"
	"+s6jNrlVwsNfwwbFOM7VR2Q2Fsjgyd6DCQJAcMc993782zOA0lTqQph2O1RmfhgP\n"
	"OaXGxdrFtmTf11A2Buai1qkaGo5iWQGfh7ZAfOVQarUD8aR5t4MbOtjp6QJAZn2Y\n"
	"PR04ZVDM4rqtsE9UbFHmiERhTocSmufshu3mpodMO7pmiKgvfNbaYCQ2spDGGNXu\n"
	"6Us9l8bt6U8F3N1pKQJBALDZ+yeW9kFKqtgJRKZKcnTgngPLKnITWVMY+ZYYB2zY\n"
	"LiGYi3sPIwfKJl8siFGVP0facBcABohYphw766chFrQ=\n"
	"-----END RSA PRIVATE KEY-----\n";

static inline struct signer_key *
key_of(const char *pem, const char *domain, const char *selector)
{
	struct error err = { .text = "" };
	struct signer_key *k = signer_key_new(span_of(pem), domain, selector,
					      &err);

	if (k == NULL)
		fail_msg("%s", err.text);
	return k;
}

#endif
