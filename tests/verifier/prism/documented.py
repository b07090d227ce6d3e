"""Sample answers in the API's documented form, as data of our own tests."""

SAMPLE_CVM = """{
  "id": "cvm-123",
  "name": "example-cvm",
  "cvm_id": "cvm-123",
  "agent_url": "https://agent.example.com",
  "status": "running",
  "state": "provisioned",
  "created_at": "2025-07-17T09:00:00Z",
  "deleted_at": "0001-01-01T00:00:00Z",
  "provider": "aws",
  "vcpus": 2,
  "attestation": "base64-blob",
  "attestation_token": "base64-token",
  "agent_log_level": "info",
  "monthly_cost_estimate": "$12.34",
  "cc_platform": "sev-snp"
}"""

SAMPLE_LIST = f"""{{
  "cvms": [
    {SAMPLE_CVM}
  ],
  "total": 1,
  "limit": 10,
  "offset": 0
}}"""

SAMPLE_STATISTICS = """{
  "cvm_stats": [
    {
      "id": "stat-1",
      "cvm_id": "cvm-123",
      "timestamp": "2025-07-17T08:00:00Z",
      "status": true
    },
    {
      "id": "stat-2",
      "cvm_id": "cvm-123",
      "timestamp": "2025-07-16T08:00:00Z",
      "status": false
    }
  ]
}"""

SAMPLE_POLICY = """{
  "attestation_policy": "base64-policy-blob"
}"""
