export default {
  serverExternalPackages: ['evalworker'], // one publisher for all routes, not one in each bundle
};
