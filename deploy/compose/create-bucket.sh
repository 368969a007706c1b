#!/bin/sh
# Create the versioned bucket, send notifications of its new objects to both Kafka targets, and create Kascribe's user,
# with access to that bucket only. Safe to repeat; a changed AWS_SECRET_ACCESS_KEY takes effect.
set -eu

printf '%s\n%s\n' "$MINIO_ROOT_USER" "$MINIO_ROOT_PASSWORD" | mc --quiet alias set store "$MINIO_URL" >/dev/null

mc --quiet mb --ignore-existing "store/$BUCKET"
mc --quiet version enable "store/$BUCKET"
for target in IMMEDIATE QUEUED; do
  mc --quiet event add --ignore-existing --event put "store/$BUCKET" "arn:minio:sqs::$target:kafka"
done

cat >/tmp/policy.json <<POLICY
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:ListBucket", "s3:ListBucketMultipartUploads",
        "s3:ListBucketVersions"
      ],
      "Resource": ["arn:aws:s3:::$BUCKET"]
    },
    {
      "Effect": "Allow",
      "Action": [
        "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:GetObjectVersion",
        "s3:ListMultipartUploadParts", "s3:PutObject"
      ],
      "Resource": ["arn:aws:s3:::$BUCKET/*"]
    }
  ]
}
POLICY
mc --quiet admin policy create store "kascribe-$BUCKET" /tmp/policy.json
printf '%s\n%s\n' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" | mc --quiet admin user add store >/dev/null
attached=$(mc --quiet admin policy entities store --user "$AWS_ACCESS_KEY_ID")
case $attached in
  *"kascribe-$BUCKET"*) ;;
  *) mc --quiet admin policy attach store "kascribe-$BUCKET" --user "$AWS_ACCESS_KEY_ID" ;;
esac
echo "the bucket $BUCKET is ready"
